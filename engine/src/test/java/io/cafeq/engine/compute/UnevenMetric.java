package io.cafeq.engine.compute;

import io.cafeq.engine.transform.ChannelMetric;
import io.cafeq.engine.transform.Seeds;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/** Metrics of inputs whose channels are correlated and of very different size. */
final class UnevenMetric {
  private UnevenMetric() {}

  static ChannelMetric of(List<Integer> sizes, long seed) {
    return ChannelMetric.normalised(moments(sizes, seed));
  }

  /**
   * Second moments of 3 k Gaussian inputs with a common part, some channels ten times as large as
   * others.
   */
  static List<double[]> moments(List<Integer> sizes, long seed) {
    List<double[]> all = new ArrayList<>();
    SplittableRandom random = new SplittableRandom(seed);
    for (int k : sizes) {
      double[] scales = Seeds.gaussians(random, k);
      double[] h = new double[k * k];
      for (int token = 0; token < 3 * k; token++) {
        double[] x = Seeds.gaussians(random, k + 1);
        for (int i = 0; i < k; i++) {
          for (int j = 0; j < k; j++) {
            h[i * k + j] +=
                (x[i] + x[k]) * (x[j] + x[k]) * Math.exp(1.2 * (scales[i] + scales[j])) / (3 * k);
          }
        }
      }
      all.add(h);
    }
    return all;
  }
}

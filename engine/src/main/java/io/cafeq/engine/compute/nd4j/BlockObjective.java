package io.cafeq.engine.compute.nd4j;

import io.cafeq.engine.transform.ChannelMetric;
import io.cafeq.engine.transform.LearnProblem;
import io.cafeq.engine.transform.Objective;
import io.cafeq.engine.transform.SquareMatrices;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;

/**
 * Eq. (4) and its input-side form: ranges weighted by the squared column norms of P = M^-1, in the
 * problem's metric.
 */
final class BlockObjective implements Objective {
  private final WeightedRanges ranges;
  private final List<Integer> sizes;
  private final ChannelMetric metric;

  /** Takes over the ranges, which are the problem's. */
  BlockObjective(WeightedRanges ranges, LearnProblem problem) {
    this.ranges = ranges;
    sizes = problem.blocks();
    metric = problem.metric();
  }

  @Override
  public Evaluation smooth(List<double[]> ms, int p) {
    return evaluate(ms, energies -> ranges.evaluate(ms, energies, p));
  }

  @Override
  public Evaluation subgradient(List<double[]> ms) {
    return evaluate(ms, energies -> ranges.subgradient(ms, energies));
  }

  private Evaluation evaluate(
      List<double[]> ms, Function<double[], WeightedRanges.Shares> weighted) {
    List<double[]> inverses = new ArrayList<>();
    double[] energies = new double[sizes.stream().mapToInt(Integer::intValue).sum()];
    int channel = 0;
    for (int b = 0; b < ms.size(); b++) {
      int k = sizes.get(b);
      double[] inverse = SquareMatrices.invert(ms.get(b), k);
      inverses.add(inverse);
      System.arraycopy(metric.energies(b, inverse, k), 0, energies, channel, k);
      channel += k;
    }
    WeightedRanges.Shares found = weighted.apply(energies);
    List<double[]> gradients = new ArrayList<>();
    channel = 0;
    for (int b = 0; b < ms.size(); b++) {
      int k = sizes.get(b);
      double[] shares = Arrays.copyOfRange(found.shares(), channel, channel + k);
      double[] gradient = metric.gradient(b, inverses.get(b), shares, k);
      double[] product = found.products().get(b);
      for (int i = 0; i < gradient.length; i++) {
        gradient[i] += product[i];
      }
      gradients.add(gradient);
      channel += k;
    }
    return new Evaluation(found.loss(), found.hardLoss(), gradients);
  }

  @Override
  public ChannelMetric metric() {
    return metric;
  }

  @Override
  public double[] hardShares(List<double[]> ms) {
    return ranges.hardShares(ms);
  }

  @Override
  public void close() {
    ranges.close();
  }
}

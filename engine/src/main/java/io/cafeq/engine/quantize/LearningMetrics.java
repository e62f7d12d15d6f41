package io.cafeq.engine.quantize;

import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.statistics.InputMoments;
import io.cafeq.engine.transform.ChannelMetric;
import java.util.ArrayList;
import java.util.List;

/**
 * Second moments of an input as the learners of transforms need them: small squares on the diagonal, damped, and means over
 * groups. Borrows the moments.
 *
 * @param damping part of the mean diagonal that is added to the diagonal
 */
public record LearningMetrics(InputMoments moments, double damping) {

  /** The metric of blocks of these sizes that follow one another from a channel on. */
  public ChannelMetric blocks(int firstChannel, List<Integer> sizes) {
    double added = damping * moments.meanDiagonal();
    List<double[]> squares = new ArrayList<>();
    int channel = firstChannel;
    for (int k : sizes) {
      double[] square = square(channel, k);
      for (int j = 0; j < k; j++) {
        square[j * k + j] += added;
      }
      squares.add(square);
      channel += k;
    }
    return ChannelMetric.normalised(squares);
  }

  /** Mean diagonal over each group of channels, divided by the mean over all; empty where nothing is known of any. */
  public double[] groupWeights(int group) {
    int size = group == 0 ? moments.channels() : group;
    double mean = moments.meanDiagonal();
    if (!(mean > 0) || size == moments.channels()) {
      return new double[0];
    }
    double[] weights = new double[moments.channels() / size];
    for (InputMoments.Block block : moments.blocks()) {
      for (int i = 0; i < block.channels(); i++) {
        weights[(block.firstChannel() + i) / size] += block.moments().get(i, i);
      }
    }
    for (int g = 0; g < weights.length; g++) {
      weights[g] = (weights[g] / (size * mean) + damping) / (1 + damping);
    }
    return weights;
  }

  /** H of some channels, [k, k]; 0 between channels of different blocks of the moments. */
  private double[] square(int firstChannel, int k) {
    double[] square = new double[k * k];
    for (InputMoments.Block block : moments.blocks()) {
      FloatMatrix h = block.moments();
      int first = Math.max(0, block.firstChannel() - firstChannel);
      int end = Math.min(k, block.firstChannel() + block.channels() - firstChannel);
      int shift = firstChannel - block.firstChannel();
      for (int i = first; i < end; i++) {
        for (int j = first; j < end; j++) {
          square[i * k + j] = h.get(i + shift, j + shift);
        }
      }
    }
    return square;
  }
}

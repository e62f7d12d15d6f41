package io.cafeq.engine.transform;

import java.util.ArrayList;
import java.util.List;

/**
 * What errors of a block's channels cost. With H the second moments of the inputs that a block
 * meets, an error E [k, n] of its weights changes the outputs by tr(E^T H E), so that column j of P
 * counts P_:j^T H P_:j in place of ||P_:j||^2. Immutable; used by several threads.
 *
 * @param blocks H of each block, [k, k] row-major, symmetric and positive definite; empty where all
 *     channels count alike. Not to be changed
 */
public record ChannelMetric(List<double[]> blocks) {
  /** All channels count alike. */
  public static final ChannelMetric NONE = new ChannelMetric(List.of());

  public ChannelMetric {
    blocks = List.copyOf(blocks);
  }

  /**
   * The same relation between channels, on the scale of {@link #NONE}: the mean of all diagonals is
   * 1. {@link #NONE} where the diagonals say nothing.
   */
  public static ChannelMetric normalised(List<double[]> blocks) {
    double sum = 0;
    int channels = 0;
    for (double[] block : blocks) {
      int k = size(block);
      for (int j = 0; j < k; j++) {
        sum += block[j * k + j];
      }
      channels += k;
    }
    double scale = channels / sum;
    if (!(sum > 0) || !Double.isFinite(scale)) {
      return NONE;
    }
    List<double[]> scaled = new ArrayList<>();
    for (double[] block : blocks) {
      double[] copy = block.clone();
      for (int i = 0; i < copy.length; i++) {
        copy[i] *= scale;
      }
      scaled.add(copy);
    }
    return new ChannelMetric(scaled);
  }

  private static int size(double[] block) {
    return (int) Math.round(Math.sqrt(block.length));
  }

  /** Throws unless there is a matrix for each of these blocks, or none at all. */
  void requireFit(List<Integer> sizes) {
    if (!blocks.isEmpty() && !blocks.stream().map(ChannelMetric::size).toList().equals(sizes)) {
      throw new IllegalArgumentException(
          "a metric of blocks %s for blocks of %s channels"
              .formatted(blocks.stream().map(ChannelMetric::size).toList(), sizes));
    }
  }

  /** What column j of P costs: P_:j^T H P_:j, for all columns. */
  public double[] energies(int block, double[] inverse, int k) {
    return blocks.isEmpty()
        ? SquareMatrices.columnEnergies(inverse, k)
        : SquareMatrices.columnForms(inverse, blocks.get(block), k);
  }

  /**
   * What the gradient in M of the sum over j of shares_j times {@link #energies} owes to P: -2 P^T
   * H P diag(shares) P^T.
   */
  public double[] gradient(int block, double[] inverse, double[] shares, int k) {
    return blocks.isEmpty()
        ? SquareMatrices.metricGradient(inverse, shares, k)
        : SquareMatrices.metricGradient(
            inverse, SquareMatrices.multiply(blocks.get(block), inverse, k), shares, k);
  }
}

package io.cafeq.engine.compute.nd4j;

import java.util.List;

/**
 * The ranges of V = M W, weighted by channel: sum over groups of (weights of the group's channels)
 * times R^2, where R^2 has the factor of its group that the problem gives. Owns W in tiles and
 * scratch; closed by whoever made it. Not thread-safe.
 */
interface WeightedRanges extends AutoCloseable {
  /**
   * Everything that a loss needs of one factor, in one pass over W.
   *
   * @param ms the blocks M, row-major
   * @param weights one number a channel, the blocks' channels in order
   * @param p R is the p-norm mean
   */
  Shares evaluate(List<double[]> ms, double[] weights, int p);

  /**
   * The same with true ranges throughout, and a subgradient: one largest and one smallest entry
   * move each of them.
   */
  Shares subgradient(List<double[]> ms, double[] weights);

  /** For each channel the sum of squared true ranges of the groups that it takes part in. */
  double[] hardShares(List<double[]> ms);

  @Override
  void close();

  /**
   * @param loss the weighted sum with the ranges asked for
   * @param hardLoss the same with true ranges
   * @param shares for each channel the sum of R^2 of the groups that it takes part in
   * @param products d loss / dV times W^T for each block: the gradient in M with the weights held
   *     fixed
   */
  record Shares(double loss, double hardLoss, double[] shares, List<double[]> products) {}
}

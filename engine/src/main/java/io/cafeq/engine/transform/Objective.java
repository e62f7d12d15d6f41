package io.cafeq.engine.transform;

import java.util.List;

/**
 * The loss of a {@link LearnProblem} as a function of the blocks M. Owns scratch; not thread-safe.
 */
public interface Objective extends AutoCloseable {
  /**
   * Loss and gradients at {@code blocks} (row-major [k, k] each).
   *
   * @param p R is the p-norm mean of the magnitudes, p a power of two from 8 to 128
   */
  Evaluation smooth(List<double[]> blocks, int p);

  /**
   * The loss with true ranges, also as {@link Evaluation#loss}, and a subgradient: a range moves
   * with one of its largest and one of its smallest entries, for symmetric grids with one of the
   * largest magnitude.
   */
  Evaluation subgradient(List<double[]> blocks);

  /** What the columns of P cost. */
  ChannelMetric metric();

  /**
   * For each channel of all blocks in order, the sum of squares of the true ranges of the groups
   * that it takes part in, each times its group's weight. The true loss is the sum of these times
   * what the columns of P cost.
   */
  double[] hardShares(List<double[]> blocks);

  /** The loss with true ranges in place of p-norms. */
  default double hard(List<double[]> blocks) {
    double[] shares = hardShares(blocks);
    double loss = 0;
    int channel = 0;
    for (int b = 0; b < blocks.size(); b++) {
      int k = (int) Math.round(Math.sqrt(blocks.get(b).length));
      for (double energy : metric().energies(b, SquareMatrices.invert(blocks.get(b), k), k)) {
        loss += energy * shares[channel++];
      }
    }
    return loss;
  }

  @Override
  void close();

  /**
   * @param loss the loss asked for, up to the normalisation of W
   * @param hardLoss the loss with true ranges at the same blocks
   * @param gradients d loss / d M for each block
   */
  record Evaluation(double loss, double hardLoss, List<double[]> gradients) {}
}

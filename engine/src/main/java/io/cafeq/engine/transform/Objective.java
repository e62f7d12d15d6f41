package io.cafeq.engine.transform;

import java.util.List;

/** The loss of a {@link LearnProblem} as a function of the blocks M. Owns scratch; not thread-safe. */
public interface Objective extends AutoCloseable {
  /**
   * Loss and gradients at {@code blocks} (row-major [k, k] each).
   *
   * @param p R is the p-norm mean of the magnitudes, p a power of two from 8 to 128
   */
  Evaluation smooth(List<double[]> blocks, int p);

  /** The loss with true ranges in place of p-norms. */
  double hard(List<double[]> blocks);

  @Override
  void close();

  /**
   * @param loss the smoothed loss, up to the normalisation of W
   * @param hardLoss the loss with true ranges at the same blocks
   * @param gradients d loss / d M for each block
   */
  record Evaluation(double loss, double hardLoss, List<double[]> gradients) {}
}

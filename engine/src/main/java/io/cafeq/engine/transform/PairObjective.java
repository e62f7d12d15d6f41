package io.cafeq.engine.transform;

/**
 * The loss of a {@link PairProblem} as a function of M, row-major [h, h]. Owns scratch; not
 * thread-safe.
 */
public interface PairObjective extends AutoCloseable {
  /**
   * Loss and gradient at {@code m}; not finite where M is singular or a factor is zero.
   *
   * @param p the expected error's ranges are p-norm means of the magnitudes, p a power of two from
   *     8 to 128; without meaning for the other losses
   */
  Evaluation smooth(double[] m, int p);

  /** The loss with true ranges. */
  double hard(double[] m);

  @Override
  void close();

  /**
   * @param loss the smoothed loss
   * @param hardLoss the loss with true ranges at the same M
   * @param gradient d loss / d M
   */
  record Evaluation(double loss, double hardLoss, double[] gradient) {}
}

package io.cafeq.engine.transform;

/**
 * Measures what becomes of a bias on the channels of one factor of a pair, which the other factor,
 * rounded, meets.
 */
public final class FoldedBiases {
  /** Far above the errors of usual bits: what is meant to be found is another bias. */
  private static final double USUAL = 0.5;

  private FoldedBiases() {}

  /**
   * Products of the factor that meets the bias, f as it was and f^ rounded, row-major [h, h].
   *
   * @param self f^^T f^
   * @param cross f^^T f
   * @param original f^T f
   */
  public record Met(double[] self, double[] cross, double[] original) {}

  /**
   * ||f^ b^ - f b||^2 by what f makes of any vector of that length, ||f||_F^2 ||b||^2 / h; 0 where
   * both make nothing.
   */
  public static double error(Met met, double[] original, double[] effective) {
    int h = original.length;
    double error =
        SquareMatrices.form(effective, met.self(), effective)
            - 2 * SquareMatrices.form(effective, met.cross(), original)
            + SquareMatrices.form(original, met.original(), original);
    double trace = SquareMatrices.dot(met.original(), SquareMatrices.identity(h));
    double squares = 0;
    for (double entry : original) {
      squares += entry * entry;
    }
    return error > 0 ? error / (trace * squares / h) : 0;
  }

  /**
   * The largest {@link #error} of a sound pair: what a bias adds is as exact as the rounded factor
   * that it meets.
   */
  public static double most(double relativeErrorOfProduct) {
    double most = Math.max(USUAL, 2 * relativeErrorOfProduct);
    return most * most;
  }
}

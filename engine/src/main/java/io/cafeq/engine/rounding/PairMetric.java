package io.cafeq.engine.rounding;

import io.cafeq.engine.transform.SquareMatrices;

/**
 * What one factor of a pair, rounded, asks of the other: with f^ the rounded factor, f its original and g the other factor, the
 * nearest g^ to aim at is (f^^T f^)^-1 f^^T f g (channels as rows), and an error in it counts by f^^T f^ = T^T T.
 *
 * @param forward (f^^T f^)^-1 f^^T f
 * @param triangle T
 */
record PairMetric(double[] forward, double[] triangle) {
  private static final double LEAST_DAMPING = 1e-10;
  private static final double MOST_DAMPING = 1e-2;

  /** A map in no metric but that of the entries themselves. */
  static PairMetric plain(double[] forward, int h) {
    return new PairMetric(forward, SquareMatrices.identity(h));
  }

  /**
   * Channels that are zero or depend on others leave f^^T f^ without an inverse: it is then raised along the diagonal by the
   * smallest share of its mean that gives one. A factor of zeros asks for nothing: the map is then zero.
   */
  static PairMetric of(double[] self, double[] cross, int h) {
    double mean = 0;
    for (int i = 0; i < h; i++) {
      mean += self[i * h + i] / h;
    }
    if (!(mean > 0)) {
      return plain(new double[h * h], h);
    }
    double[] triangle = new double[h * h];
    double[] forward = new double[h * h];
    for (double damping = LEAST_DAMPING; damping <= MOST_DAMPING; damping *= 100) {
      double[] raised = self.clone();
      for (int i = 0; i < h; i++) {
        raised[i * h + i] += damping * mean;
      }
      triangle = SquareMatrices.choleskyFactor(raised, h);
      if (SquareMatrices.isFinite(triangle)) {
        forward = SquareMatrices.multiply(SquareMatrices.invert(raised, h), cross, h);
        break;
      }
    }
    return new PairMetric(forward, triangle);
  }
}

package io.cafeq.engine.rounding;

import io.cafeq.engine.transform.SquareMatrices;
import java.util.Optional;

/**
 * What one factor of a pair, rounded, asks of the other: with f^ the rounded factor, f its original
 * and g the other factor, the nearest g^ to aim at is (f^^T f^)^-1 f^^T f g (channels as rows), and
 * an error in it counts by f^^T f^ = T^T T.
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
   * Channels that are zero or depend on others leave f^^T f^ without an inverse: it is then raised
   * along the diagonal by the smallest share of its mean that gives one. A factor of zeros asks for
   * nothing: the map is then zero.
   */
  static PairMetric of(double[] self, double[] cross, int h) {
    Optional<double[]> raised = raised(self, h);
    if (raised.isEmpty()) {
      return plain(new double[h * h], h);
    }
    double[] forward = SquareMatrices.multiply(SquareMatrices.invert(raised.get(), h), cross, h);
    return new PairMetric(forward, SquareMatrices.choleskyFactor(raised.get(), h));
  }

  /**
   * A map that is given, in the metric of the other factor as it is, transformed likewise: g^T g, g
   * = f M^-1. Where that factor is zero all channels count alike.
   *
   * @param gram f^T f
   */
  static PairMetric given(double[] forward, double[] gram, int h) {
    double[] inverse = SquareMatrices.invert(forward, h);
    double[] moved =
        SquareMatrices.multiply(
            SquareMatrices.transpose(inverse, h), SquareMatrices.multiply(gram, inverse, h), h);
    return raised(moved, h)
        .map(raised -> new PairMetric(forward, SquareMatrices.choleskyFactor(raised, h)))
        .orElseGet(() -> plain(forward, h));
  }

  /**
   * With as much on the diagonal as makes it positive definite, where that is little; empty for a
   * matrix of zeros.
   */
  private static Optional<double[]> raised(double[] gram, int h) {
    double mean = 0;
    for (int i = 0; i < h; i++) {
      mean += gram[i * h + i] / h;
    }
    if (!(mean > 0)) {
      return Optional.empty();
    }
    double[] raised = gram;
    for (double damping = LEAST_DAMPING; damping <= MOST_DAMPING; damping *= 100) {
      raised = gram.clone();
      for (int i = 0; i < h; i++) {
        raised[i * h + i] += damping * mean;
      }
      if (SquareMatrices.isFinite(SquareMatrices.choleskyFactor(raised, h))) {
        break;
      }
    }
    return Optional.of(raised);
  }
}

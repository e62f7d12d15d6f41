package io.cafeq.engine.receipt;

/**
 * Squared error of some rounding and the bits it takes, over the weights of one unit.
 *
 * @param squaredError sum of (quantized - original)^2 over effective weights
 * @param bits everything stored: codes, scales, zero points, transforms
 */
public record ErrorFigures(double squaredError, long bits) {
  /** sqrt(squaredError / squaredNorm); 0 for an all-zero tensor. */
  public double relativeError(double squaredNorm) {
    return squaredNorm > 0 ? Math.sqrt(squaredError / squaredNorm) : 0;
  }
}

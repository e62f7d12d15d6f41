package io.cafeq.engine.receipt;

import org.jspecify.annotations.Nullable;

/**
 * Errors and bits of one rounding of a unit.
 *
 * @param squaredError sum of (quantized - original)^2 over effective weights
 * @param outputError sum over rows of e^T H e, e the error of a row and H the input Hessian, damped
 *     as in rounding: the mean squared error of the outputs; null without statistics
 * @param bits everything stored: codes, scales, zero points, transforms
 */
public record ErrorFigures(double squaredError, @Nullable Double outputError, long bits) {
  /** Figures without statistics. */
  public ErrorFigures(double squaredError, long bits) {
    this(squaredError, null, bits);
  }

  /** sqrt(squaredError / squaredNorm); 0 for an all-zero tensor. */
  public double relativeError(double squaredNorm) {
    return squaredNorm > 0 ? Math.sqrt(squaredError / squaredNorm) : 0;
  }

  /** sqrt(outputError / outputNorm); null without statistics, 0 where all outputs are 0. */
  public @Nullable Double relativeOutputError(@Nullable Double outputNorm) {
    if (outputError == null || outputNorm == null) {
      return null;
    }
    return outputNorm > 0 ? Math.sqrt(outputError / outputNorm) : 0;
  }
}

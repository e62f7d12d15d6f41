package io.cafeq.engine.rounding;

/**
 * Errors of some rounding.
 *
 * @param squared sum of (quantized - original)^2
 * @param output sum over rows of e^T H e, e the error of a row and H the metric; 0 without one
 */
public record RoundingErrors(double squared, double output) {
  /** Errors of both. */
  public RoundingErrors plus(RoundingErrors other) {
    return new RoundingErrors(squared + other.squared, output + other.output);
  }
}

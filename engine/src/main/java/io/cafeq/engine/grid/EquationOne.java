package io.cafeq.engine.grid;

/**
 * One group's grid as Eq. (1) prints it, nothing rounded for storage: code = clamp(round((x -
 * minimum) / step)), ties to even, value = code * step + minimum. For the paper's figures and as
 * the measure of the storages.
 *
 * @param step 1 for a constant group
 */
public record EquationOne(double minimum, double step, int top) {
  /**
   * Of {@code size} entries from {@code first} on, with the range clipped to {@code shrink} of its
   * width.
   */
  public static EquationOne of(double[] x, int first, int size, int bits, double shrink) {
    double low = Double.POSITIVE_INFINITY;
    double high = Double.NEGATIVE_INFINITY;
    for (int i = first; i < first + size; i++) {
      low = Math.min(low, x[i]);
      high = Math.max(high, x[i]);
    }
    int top = (1 << bits) - 1;
    double half = (high - low) / 2 * shrink;
    double step = 2 * half / top;
    return new EquationOne((low + high) / 2 - half, step > 0 ? step : 1, top);
  }

  /**
   * The one with the least squared error of the entries among {@link Shrinks}, the smaller shrink
   * on ties.
   */
  public static EquationOne clipped(double[] x, int first, int size, int bits) {
    EquationOne best = of(x, first, size, bits, 1);
    double bestError = Double.POSITIVE_INFINITY;
    for (double shrink : Shrinks.of(bits, true)) {
      EquationOne candidate = of(x, first, size, bits, shrink);
      double error = candidate.squaredError(x, first, size);
      if (error < bestError) {
        bestError = error;
        best = candidate;
      }
    }
    return best;
  }

  /** Of nearest rounding. */
  public double squaredError(double[] x, int first, int size) {
    double error = 0;
    for (int i = first; i < first + size; i++) {
      double difference = value(code(x[i])) - x[i];
      error += difference * difference;
    }
    return error;
  }

  public int code(double x) {
    return (int) Math.clamp(Math.rint((x - minimum) / step), 0, top);
  }

  public double value(int code) {
    return code * step + minimum;
  }
}

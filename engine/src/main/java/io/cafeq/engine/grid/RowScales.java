package io.cafeq.engine.grid;

/** Per row, what its groups share as stored: a compact scale and an exponent. Reused. */
final class RowScales {
  private final float[] scales;
  private final short[] bits;
  private final int[] exponents;
  private final float[] factors;

  RowScales(int rows) {
    scales = new float[rows];
    bits = new short[rows];
    exponents = new int[rows];
    factors = new float[rows];
  }

  /**
   * Chooses those of a row by the largest step of its groups and, where minimums are stored, their
   * largest magnitude.
   */
  void choose(int row, float step, float minimum) {
    exponents[row] = RowExponents.of(step, minimum);
    factors[row] = RowExponents.factor(exponents[row]);
    bits[row] = HalfFloats.roundedUp(step > 0 ? step / factors[row] : 1);
    scales[row] = Float.float16ToFloat(bits[row]) * factors[row];
  }

  /** The compact scale as it decodes. */
  float scale(int row) {
    return scales[row];
  }

  /** The compact scale as it is stored. */
  short bits(int row) {
    return bits[row];
  }

  int exponent(int row) {
    return exponents[row];
  }

  /** What every f16 number of the row is multiplied with. */
  float factor(int row) {
    return factors[row];
  }
}

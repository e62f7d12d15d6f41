package io.cafeq.engine.grid;

/** Rounding to positive f16 scales. */
public final class HalfFloats {
  private static final short SMALLEST = 1;

  private HalfFloats() {}

  /** The nearest f16, but at least the smallest one above 0 and at most the largest finite one. */
  public static short positive(double value) {
    short half = Float.floatToFloat16((float) Math.min(value, 65504));
    return half <= 0 ? SMALLEST : half;
  }

  /** The smallest f16 that is not below a positive value. */
  public static short roundedUp(double value) {
    short half = positive(value);
    return Float.float16ToFloat(half) < value && half < 0x7BFF ? (short) (half + 1) : half;
  }

  /** The nearest f16 of either sign; magnitudes beyond f16 become the largest finite one. */
  public static short signed(double value) {
    return Float.floatToFloat16((float) Math.clamp(value, -65504, 65504));
  }
}

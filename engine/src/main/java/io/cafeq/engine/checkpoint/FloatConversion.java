package io.cafeq.engine.checkpoint;

/**
 * Conversions between the 16-bit formats, doubles and floats, over tiles of a few thousand
 * elements. bfloat16 travels as float bits in int arrays, and each pass does one thing: C2 makes
 * vector code of a loop that widens, and of one that folds, but not of one that does both, nor of
 * one that moves between int and float registers.
 */
public final class FloatConversion {
  private static final int FLOAT_EXPONENT = 0x7F800000;
  private static final int FLOAT_CARRY = 0x00800000;

  private FloatConversion() {}

  /** The first {@code count} bfloat16 values as float bits; true where all are finite. */
  public static boolean fromBf16(short[] from, int[] to, int count) {
    for (int i = 0; i < count; i++) {
      to[i] = from[i] << 16;
    }
    return areFinite(to, count);
  }

  /** The first {@code count} IEEE half floats as floats; true where all are finite. */
  public static boolean fromF16(short[] from, float[] to, int count) {
    for (int i = 0; i < count; i++) {
      to[i] = Float.float16ToFloat(from[i]);
    }
    return areFinite(to, count);
  }

  /** Whether the first {@code count} floats, given by their bits, are all finite. */
  public static boolean areFinite(int[] bits, int count) {
    int any = 0;
    for (int i = 0; i < count; i++) {
      // Carries into the sign exactly where all exponent bits are set, as in NaN and infinity.
      any |= (bits[i] & FLOAT_EXPONENT) + FLOAT_CARRY;
    }
    return any >= 0;
  }

  private static boolean areFinite(float[] values, int count) {
    float largest = 0;
    for (int i = 0; i < count; i++) {
      largest = Math.max(largest, Math.abs(values[i]));
    }
    return Float.isFinite(largest);
  }

  /** The first {@code count} doubles rounded to floats; true where all results are finite. */
  public static boolean fromF64(double[] from, float[] to, int count) {
    for (int i = 0; i < count; i++) {
      to[i] = (float) from[i];
    }
    return areFinite(to, count);
  }

  /**
   * The first {@code count} floats, given by their bits, rounded to the nearest bfloat16, ties to
   * even. Beyond the largest one they become infinite; NaN stays NaN. {@code from} is used as
   * scratch.
   */
  public static void toBf16(int[] from, short[] to, int count) {
    for (int i = 0; i < count; i++) {
      int bits = from[i];
      int rounded = bits + 0x7FFF + ((bits >>> 16) & 1);
      // Rounding could carry a NaN into infinity or through the sign; the quiet bit keeps it one.
      int kept = bits | 0x00400000;
      int isNan = (FLOAT_EXPONENT - (bits & 0x7FFFFFFF)) >> 31;
      from[i] = rounded ^ ((rounded ^ kept) & isNan);
    }
    for (int i = 0; i < count; i++) {
      to[i] = (short) (from[i] >> 16);
    }
  }

  /**
   * The first {@code count} floats rounded to the nearest half float, ties to even; above 65519
   * they become infinite.
   */
  public static void toF16(float[] from, short[] to, int count) {
    for (int i = 0; i < count; i++) {
      to[i] = Float.floatToFloat16(from[i]);
    }
  }
}

package io.cafeq.engine.checkpoint;

/**
 * Conversions between the 16-bit formats, doubles and floats, over tiles of a few thousand elements. Floats travel as their
 * bits in an int array: C2 turns loops over one kind of integer array into vector code, but not those that move between
 * int and float registers.
 *
 * <p>The loops to floats return whether all were finite. That is a sum without branches: the exponent bits plus one carry
 * into the highest bit exactly where all of them are set, which is what NaN and infinity have.
 */
public final class FloatConversion {
  private static final int BF16_EXPONENT = 0x7F80;
  private static final int F16_EXPONENT = 0x7C00;
  private static final int FLOAT_EXPONENT = 0x7F800000;
  private static final int FLOAT_CARRY = 0x00800000;

  private FloatConversion() {}

  /** The first {@code count} bfloat16 values as float bits; true where all are finite. */
  public static boolean fromBf16(short[] from, int[] to, int count) {
    int any = 0;
    for (int i = 0; i < count; i++) {
      int bits = (from[i] & 0xFFFF) << 16;
      to[i] = bits;
      any |= (bits & FLOAT_EXPONENT) + FLOAT_CARRY;
    }
    return any >= 0;
  }

  /** The first {@code count} IEEE half floats as floats; true where all are finite. */
  public static boolean fromF16(short[] from, float[] to, int count) {
    int any = 0;
    for (int i = 0; i < count; i++) {
      any |= (from[i] & F16_EXPONENT) + 0x0400;
    }
    for (int i = 0; i < count; i++) {
      to[i] = Float.float16ToFloat(from[i]);
    }
    return (any & 0x8000) == 0;
  }

  /** Whether the first {@code count} floats, given by their bits, are all finite. */
  public static boolean areFinite(int[] bits, int count) {
    int any = 0;
    for (int i = 0; i < count; i++) {
      any |= (bits[i] & FLOAT_EXPONENT) + FLOAT_CARRY;
    }
    return any >= 0;
  }

  /** The first {@code count} doubles rounded to floats; true where all results are finite. */
  public static boolean fromF64(double[] from, float[] to, int count) {
    boolean finite = true;
    for (int i = 0; i < count; i++) {
      to[i] = (float) from[i];
      finite &= Float.isFinite(to[i]);
    }
    return finite;
  }

  /**
   * The first {@code count} floats, given by their bits, rounded to the nearest bfloat16, ties to even. Beyond the largest
   * one they become infinite; NaN stays NaN.
   */
  public static void toBf16(int[] from, short[] to, int count) {
    for (int i = 0; i < count; i++) {
      to[i] = toBf16(from[i]);
    }
  }

  /** The first {@code count} floats rounded to the nearest half float, ties to even; above 65519 they become infinite. */
  public static void toF16(float[] from, short[] to, int count) {
    for (int i = 0; i < count; i++) {
      to[i] = Float.floatToFloat16(from[i]);
    }
  }

  private static short toBf16(int bits) {
    int rounded = (bits + 0x7FFF + ((bits >>> 16) & 1)) >>> 16;
    // Rounding could carry a NaN into infinity or through the sign; the quiet bit keeps it one.
    int kept = (bits >>> 16) | 0x0040;
    return (short) ((bits & 0x7FFFFFFF) > FLOAT_EXPONENT ? kept : rounded);
  }

  /** Whether a bfloat16 is neither NaN nor infinite. */
  public static boolean isFiniteBf16(short value) {
    return (value & BF16_EXPONENT) != BF16_EXPONENT;
  }
}

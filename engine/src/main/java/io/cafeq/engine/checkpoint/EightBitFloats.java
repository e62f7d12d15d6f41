package io.cafeq.engine.checkpoint;

/**
 * The values of the floats that have eight bits or fewer, by table: all are floats exactly.
 * Immutable.
 *
 * <p>E4M3 is the variant without infinities (bias 7, S.1111.111 is NaN), E5M2 follows IEEE 754
 * (bias 15), E8M0 is 2^(byte - 127) with 255 for NaN, E2M1 has the magnitudes 0, .5, 1, 1.5, 2, 3,
 * 4 and 6.
 */
final class EightBitFloats {
  private static final int VALUES = 256;
  private static final int E4M3_EXPONENT_BIAS = 7;
  private static final int E4M3_FRACTION = 3;
  private static final int E8M0_BIAS = 127;
  private static final int SIGN = 0x80;

  private final float[] e4m3 = new float[VALUES];
  private final float[] e5m2 = new float[VALUES];
  private final float[] e8m0 = new float[VALUES];
  private final float[] e2m1 = {0, .5f, 1, 1.5f, 2, 3, 4, 6, -0f, -.5f, -1, -1.5f, -2, -3, -4, -6};

  EightBitFloats() {
    for (int i = 0; i < VALUES; i++) {
      e4m3[i] = e4m3(i);
      // The upper byte of an IEEE half float.
      e5m2[i] = Float.float16ToFloat((short) (i << 8));
      e8m0[i] = i == VALUES - 1 ? Float.NaN : (float) Math.scalb(1.0, i - E8M0_BIAS);
    }
  }

  private static float e4m3(int code) {
    int magnitude = code & ~SIGN;
    int exponent = magnitude >> E4M3_FRACTION;
    int fraction = magnitude & ((1 << E4M3_FRACTION) - 1);
    float value;
    if (magnitude == 0x7F) {
      value = Float.NaN;
    } else if (exponent == 0) {
      value = Math.scalb((float) fraction, 1 - E4M3_EXPONENT_BIAS - E4M3_FRACTION);
    } else {
      value =
          Math.scalb(
              (float) (fraction + (1 << E4M3_FRACTION)),
              exponent - E4M3_EXPONENT_BIAS - E4M3_FRACTION);
    }
    return (code & SIGN) == 0 ? value : -value;
  }

  /** Decodes whole bytes. */
  void values(Dtype dtype, byte[] from, int count, float[] to) {
    float[] table = table(dtype);
    for (int i = 0; i < count; i++) {
      to[i] = table[from[i] & 0xFF];
    }
  }

  private float[] table(Dtype dtype) {
    return switch (dtype) {
      case F8_E4M3 -> e4m3;
      case F8_E5M2 -> e5m2;
      case F8_E8M0 -> e8m0;
      case F64, F32, F16, BF16, I64, I32, I16, I8, U64, U32, U16, U8, BOOL ->
          throw new IllegalArgumentException("no floats of eight bits: " + dtype);
    };
  }

  /** Decodes two E2M1 floats a byte, low nibble first: {@code count} values. */
  void nibbles(byte[] from, int count, float[] to) {
    for (int i = 0; i < count; i++) {
      to[i] = e2m1[from[i >> 1] >> ((i & 1) << 2) & 0xF];
    }
  }
}

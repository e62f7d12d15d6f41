package io.cafeq.engine.model;

import io.cafeq.engine.checkpoint.Dtype;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Numbers as files hold them, rounded to the nearest and of equals to the even one. Elements are
 * little-endian.
 */
final class NumberCodec {
  /** Of 8-bit floats. */
  private static final int LARGEST_CODE = 126;

  private static final int SMALLEST_EXPONENT = -6;

  private NumberCodec() {}

  static byte[] encode(Dtype dtype, double[] values) {
    ByteBuffer bytes =
        ByteBuffer.allocate(values.length * dtype.bytes()).order(ByteOrder.LITTLE_ENDIAN);
    for (double value : values) {
      switch (dtype) {
        case F32 -> bytes.putFloat((float) value);
        case F16 -> bytes.putShort(Float.floatToFloat16((float) value));
        case BF16 -> bytes.putShort(toBfloat16((float) value));
        case F8_E4M3 -> bytes.put(toE4m3(value));
        case U8, BOOL -> bytes.put((byte) (int) value);
        case F64, F8_E5M2, F8_E8M0, I64, I32, I16, I8, U64, U32, U16 ->
            throw new IllegalArgumentException("no miniature has " + dtype);
      }
    }
    return bytes.array();
  }

  static double[] decode(Dtype dtype, byte[] encoded) {
    ByteBuffer bytes = ByteBuffer.wrap(encoded).order(ByteOrder.LITTLE_ENDIAN);
    double[] values = new double[encoded.length / dtype.bytes()];
    for (int i = 0; i < values.length; i++) {
      values[i] =
          switch (dtype) {
            case F32 -> bytes.getFloat();
            case F16 -> Float.float16ToFloat(bytes.getShort());
            case BF16 -> Float.intBitsToFloat(bytes.getShort() << 16);
            case F8_E4M3 -> fromE4m3(bytes.get());
            case U8, BOOL -> bytes.get() & 0xFF;
            case F64, F8_E5M2, F8_E8M0, I64, I32, I16, I8, U64, U32, U16 ->
                throw new IllegalArgumentException("no miniature has " + dtype);
          };
    }
    return values;
  }

  private static short toBfloat16(float value) {
    int bits = Float.floatToRawIntBits(value);
    return (short) (bits + 0x7FFF + (bits >>> 16 & 1) >>> 16);
  }

  /**
   * A sign, four bits of exponent with bias 7, three of mantissa; no infinity, and NaN where all
   * other bits are set.
   */
  static double fromE4m3(byte code) {
    int exponent = code >> 3 & 0xF;
    int mantissa = code & 0x7;
    double magnitude =
        exponent == 0 ? mantissa * Math.pow(2, -9) : (8 + mantissa) * Math.pow(2, exponent - 10);
    return code < 0 ? -magnitude : magnitude;
  }

  private static byte toE4m3(double value) {
    double magnitude = Math.abs(value);
    int exponent = Math.max(Math.getExponent(magnitude), SMALLEST_EXPONENT);
    int steps = (int) Math.rint(magnitude / Math.pow(2, exponent - 3));
    int code = Math.min((exponent - SMALLEST_EXPONENT) * 8 + steps, LARGEST_CODE);
    return (byte) (value < 0 ? code | 0x80 : code);
  }
}

package io.cafeq.engine.export.gguf;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Blocks as floats, by the arithmetic of ggml's dequantization. */
final class BlockDecoder {
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfFloat FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private BlockDecoder() {}

  /** Decodes {@code count} weights, a multiple of a block's, to out[0, count). */
  static void decode(GgufType type, MemorySegment in, long offset, int count, float[] out) {
    for (int first = 0; first < count; first += type.weights()) {
      long at = offset + type.bytesOf(first);
      switch (type) {
        case F32 -> out[first] = in.get(FLOAT, at);
        case F16 -> out[first] = half(in, at);
        case BF16 -> out[first] = Float.intBitsToFloat(in.get(SHORT, at) << 16);
        case Q4_0 -> nibbles(in, at + 2, -1, -8, half(in, at), 0, out, first);
        case Q4_1 -> nibbles(in, at + 4, -1, 0, half(in, at), half(in, at + 2), out, first);
        case Q5_0 -> nibbles(in, at + 6, at + 2, -16, half(in, at), 0, out, first);
        case Q5_1 -> nibbles(in, at + 8, at + 4, 0, half(in, at), half(in, at + 2), out, first);
        case Q8_0 -> {
          float d = half(in, at);
          for (int i = 0; i < type.weights(); i++) {
            out[first + i] = in.get(ValueLayout.JAVA_BYTE, at + 2 + i) * d;
          }
        }
        case Q2_K, Q3_K, Q4_K, Q5_K, Q6_K -> SuperBlocks.decode(type, in, at, out, first);
      }
    }
  }

  private static float half(MemorySegment in, long at) {
    return Float.float16ToFloat(in.get(SHORT, at));
  }

  /**
   * @param fifth where the fifth bits are; negative where there are none
   * @param shift added to codes; then there is no minimum
   */
  private static void nibbles(
      MemorySegment in, long at, long fifth, int shift, float d, float m, float[] out, int first) {
    for (int j = 0; j < 32; j++) {
      int code = in.get(ValueLayout.JAVA_BYTE, at + j % 16) >> (j < 16 ? 0 : 4) & 0xF;
      if (fifth >= 0) {
        code |= (in.get(ValueLayout.JAVA_BYTE, fifth + j / 8) >> j % 8 & 1) << 4;
      }
      out[first + j] = shift == 0 ? code * d + m : (code + shift) * d;
    }
  }
}

package io.cafeq.engine.checkpoint;

import io.cafeq.engine.checkpoint.WeightLayout.Codes;

/** Decodes the codes of quantized weights to numbers, without scales. Each is a float exactly. */
final class CodeDecoder {
  private final EightBitFloats eightBit;

  CodeDecoder(EightBitFloats eightBit) {
    this.eightBit = eightBit;
  }

  /**
   * Decodes codes of one row, from the first of a unit on.
   *
   * @param dtype of the tensor
   * @param bytes one more than the codes take, at least
   */
  void decode(Codes codes, Dtype dtype, byte[] bytes, int count, float[] to) {
    switch (codes.kind()) {
      case FLOAT8 -> eightBit.values(dtype, bytes, count, to);
      case FLOAT4 -> eightBit.nibbles(bytes, count, to);
      case INT8 -> {
        for (int i = 0; i < count; i++) {
          to[i] = bytes[i];
        }
      }
      case PACKED, PACKED_BY_WORD -> {
        for (int i = 0; i < count; i++) {
          to[i] = integer(codes, bytes, (int) codes.bit(i));
        }
      }
    }
  }

  /** Little-endian words are one stream of bits, least significant first. */
  private static int integer(Codes codes, byte[] bytes, int bit) {
    int at = bit / Byte.SIZE;
    int two = bytes[at] & 0xFF | (bytes[at + 1] & 0xFF) << Byte.SIZE;
    return (two >> bit % Byte.SIZE & codes.largest()) - codes.offset();
  }
}

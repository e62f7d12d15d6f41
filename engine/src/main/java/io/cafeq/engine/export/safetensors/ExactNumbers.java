package io.cafeq.engine.export.safetensors;

import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Floats in a narrower type that must hold them exactly. */
final class ExactNumbers {
  private static final ValueLayout.OfShort SHORTS =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INTS =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private ExactNumbers() {}

  /**
   * Puts the first {@code count} values from index {@code to} on; kind RESULT where one needs more
   * digits or another range than the type has.
   */
  static void put(
      String tensor, float[] values, int count, Dtype dtype, MemorySegment target, long to) {
    for (int i = 0; i < count; i++) {
      put(tensor, values[i], dtype, target, to + i);
    }
  }

  static void put(String tensor, float value, Dtype dtype, MemorySegment target, long index) {
    int bits = Float.floatToRawIntBits(value);
    boolean exact =
        switch (dtype) {
          case BF16 -> {
            target.setAtIndex(SHORTS, index, (short) (bits >>> 16));
            yield (bits & 0xFFFF) == 0;
          }
          case F16 -> {
            short half = Float.floatToFloat16(value);
            target.setAtIndex(SHORTS, index, half);
            yield Float.float16ToFloat(half) == value;
          }
          case F32 -> {
            target.setAtIndex(INTS, index, bits);
            yield true;
          }
          default -> throw new IllegalArgumentException("no type of scales: " + dtype);
        };
    if (!exact) {
      throw new EngineException(
          FailureKind.RESULT,
          "tensor %s: the scale or minimum %s cannot be written as %s"
              .formatted(tensor, value, dtype),
          "Quantize again into another folder, and leave this tensor as it is, with --exclude.");
    }
  }
}

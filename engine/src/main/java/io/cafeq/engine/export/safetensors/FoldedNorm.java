package io.cafeq.engine.export.safetensors;

import io.cafeq.engine.block.TensorHeader;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.SafetensorsWriter.Entry;
import io.cafeq.engine.export.ScaleFolds;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** The weights of a norm that takes over column scales, rounded to their own type. */
final class FoldedNorm {
  private static final ValueLayout.OfShort SHORTS =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INTS =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private FoldedNorm() {}

  static PackedPart of(TensorHeader header, ScaleFolds.Fold fold) {
    Entry entry = new Entry(header.name(), header.dtype(), header.shape());
    return new PackedPart(
        entry,
        (result, source, stop, bytes) -> {
          try (Arena arena = Arena.ofConfined()) {
            MemorySegment values = arena.allocate(entry.bytes(), 64);
            result.readRaw(source, 0, values);
            for (int i = 0; i < fold.scales().channels(); i++) {
              float folded = fold.folded(get(values, i, header.dtype()), i);
              put(values, i, header.dtype(), folded);
            }
            bytes.accept(values);
          }
        });
  }

  private static float get(MemorySegment values, int index, Dtype dtype) {
    return switch (dtype) {
      case BF16 -> Float.intBitsToFloat(values.getAtIndex(SHORTS, index) << 16);
      case F16 -> Float.float16ToFloat(values.getAtIndex(SHORTS, index));
      case F32 -> Float.intBitsToFloat(values.getAtIndex(INTS, index));
      default -> throw new IllegalArgumentException("no type of norms: " + dtype);
    };
  }

  private static void put(MemorySegment values, int index, Dtype dtype, float value) {
    switch (dtype) {
      case BF16 -> {
        int bits = Float.floatToRawIntBits(value);
        values.setAtIndex(SHORTS, index, (short) ((bits + 0x7FFF + (bits >>> 16 & 1)) >>> 16));
      }
      case F16 -> values.setAtIndex(SHORTS, index, Float.floatToFloat16(value));
      case F32 -> values.setAtIndex(INTS, index, Float.floatToRawIntBits(value));
      default -> throw new IllegalArgumentException("no type of norms: " + dtype);
    }
  }
}

package io.cafeq.engine.checkpoint;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Optional;
import java.util.stream.LongStream;

/** A shape that a small tensor of integers holds. */
final class StoredShape {
  private static final int MOST_DIMENSIONS = 4;
  private static final ValueLayout.OfLong LONGS =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INTS =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private StoredShape() {}

  /** Empty where the tensor is no short vector of I64 or I32. */
  static Optional<List<Long>> read(TensorSource source, TensorInfo info) {
    boolean isLong = info.dtype() == Dtype.I64;
    if (!isLong && info.dtype() != Dtype.I32 || info.elements() > MOST_DIMENSIONS) {
      return Optional.empty();
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment bytes =
          arena.allocate(Math.max(1, info.bytes()), Long.BYTES).asSlice(0, info.bytes());
      source.read(info, 0, bytes);
      return Optional.of(
          LongStream.range(0, info.elements())
              .map(i -> isLong ? bytes.getAtIndex(LONGS, i) : bytes.getAtIndex(INTS, i))
              .boxed()
              .toList());
    }
  }
}

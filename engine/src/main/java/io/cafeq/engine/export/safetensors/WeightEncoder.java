package io.cafeq.engine.export.safetensors;

import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.FloatConversion;
import io.cafeq.engine.checkpoint.SafetensorsWriter.Entry;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.text.NamePattern;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.function.Consumer;

/** Rounds floats to the element type of a tensor, in tiles. Not thread-safe. */
final class WeightEncoder {
  private static final int TILE = 8192;
  private static final ValueLayout.OfShort SHORTS =
      ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INTS =
      ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfDouble DOUBLES =
      ValueLayout.JAVA_DOUBLE.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final int HALF_INFINITY = 0x7C00;
  private static final int BF16_INFINITY = 0x7F80;

  private final MemorySegment buffer;
  private final float[] floats = new float[TILE];
  private final int[] bits = new int[TILE];
  private final short[] shorts = new short[TILE];

  /** {@code arena} owns the small buffer for encoded bytes. */
  WeightEncoder(Arena arena) {
    this.buffer = arena.allocate((long) TILE * Double.BYTES, 64);
  }

  /** Gives the encoded bytes piece by piece; each is borrowed during the call. */
  void encode(Entry tensor, long firstRow, FloatMatrix weights, Consumer<MemorySegment> consumer) {
    for (long at = 0; at < weights.elements(); at += TILE) {
      int count = (int) Math.min(TILE, weights.elements() - at);
      MemorySegment from = weights.segment().asSlice(at * Float.BYTES, (long) count * Float.BYTES);
      boolean fits = tile(tensor.dtype(), from, count);
      if (!fits) {
        throw overflow(tensor, firstRow, weights, at, count);
      }
      consumer.accept(buffer.asSlice(0, (long) count * tensor.dtype().bytes()));
    }
  }

  private boolean tile(Dtype dtype, MemorySegment from, int count) {
    return switch (dtype) {
      case BF16 -> {
        MemorySegment.copy(from, ValueLayout.JAVA_INT, 0, bits, 0, count);
        FloatConversion.toBf16(bits, shorts, count);
        yield put(count, BF16_INFINITY);
      }
      case F16 -> {
        MemorySegment.copy(from, ValueLayout.JAVA_FLOAT, 0, floats, 0, count);
        FloatConversion.toF16(floats, shorts, count);
        yield put(count, HALF_INFINITY);
      }
      case F32 -> {
        MemorySegment.copy(from, ValueLayout.JAVA_INT, 0, bits, 0, count);
        MemorySegment.copy(bits, 0, buffer, INTS, 0, count);
        yield FloatConversion.areFinite(bits, count);
      }
      case F64 -> {
        boolean finite = true;
        for (int i = 0; i < count; i++) {
          float value = from.getAtIndex(ValueLayout.JAVA_FLOAT, i);
          finite &= Float.isFinite(value);
          buffer.setAtIndex(DOUBLES, i, value);
        }
        yield finite;
      }
      case F8_E4M3, F8_E5M2, F8_E8M0, I64, I32, I16, I8, U64, U32, U16, U8, BOOL ->
          throw new IllegalArgumentException("no weights: " + dtype);
    };
  }

  /** False where an exponent has all bits set, as in NaN and infinity. */
  private boolean put(int count, int infinity) {
    MemorySegment.copy(shorts, 0, buffer, SHORTS, 0, count);
    boolean finite = true;
    for (int i = 0; i < count; i++) {
      finite &= (shorts[i] & infinity) != infinity;
    }
    return finite;
  }

  private static EngineException overflow(
      Entry tensor, long firstRow, FloatMatrix weights, long at, int count) {
    float largest = 0;
    long where = at;
    for (long i = at; i < at + count; i++) {
      float value = weights.segment().getAtIndex(ValueLayout.JAVA_FLOAT, i);
      if (!(Math.abs(value) <= Math.abs(largest))) {
        largest = value;
        where = i;
      }
    }
    return new EngineException(
        FailureKind.RESULT,
        "tensor "
            + tensor.name()
            + ", row "
            + (firstRow + where / weights.columns())
            + ", column "
            + where % weights.columns()
            + ": the weight "
            + largest
            + " does not fit into "
            + tensor.dtype(),
        "Quantize again into another folder, and leave this tensor as it is: --exclude '"
            + NamePattern.of(tensor.name())
            + "'.");
  }
}

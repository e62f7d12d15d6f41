package io.cafeq.engine.checkpoint;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Converts stored elements to floats, by way of small tiles on the heap. Not thread-safe. */
final class FloatDecoder {
  /** What {@link #decode} answers where every value is finite. */
  static final long ALL_FINITE = -1;

  private static final int TILE = 4096;
  private static final ValueLayout.OfShort SHORTS =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INTS =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfDouble DOUBLES =
      ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final EightBitFloats eightBit;
  private final byte[] bytes = new byte[TILE];
  private final short[] shorts = new short[TILE];
  private final int[] bits = new int[TILE];
  private final float[] floats = new float[TILE];
  private final double[] doubles = new double[TILE];

  FloatDecoder(EightBitFloats eightBit) {
    this.eightBit = eightBit;
  }

  /**
   * Converts {@code count} elements that are at byte {@code from} into floats at index {@code to}
   * of the target. Answers the place among them of the first that is not finite as a float, or
   * {@link #ALL_FINITE}; the target is complete up to it then.
   */
  long decode(
      Dtype dtype, MemorySegment source, long from, long count, MemorySegment target, long to) {
    for (long done = 0; done < count; done += TILE) {
      int tile = (int) Math.min(TILE, count - done);
      if (!tile(
          dtype, source, from + done * dtype.bytes(), tile, target, (to + done) * Float.BYTES)) {
        return done + firstBroken(target, to + done, tile);
      }
    }
    return ALL_FINITE;
  }

  private boolean tile(
      Dtype dtype, MemorySegment source, long from, int count, MemorySegment target, long to) {
    return switch (dtype) {
      case BF16 -> {
        MemorySegment.copy(source, SHORTS, from, shorts, 0, count);
        boolean finite = FloatConversion.fromBf16(shorts, bits, count);
        MemorySegment.copy(bits, 0, target, ValueLayout.JAVA_INT, to, count);
        yield finite;
      }
      case F32 -> {
        MemorySegment.copy(source, INTS, from, bits, 0, count);
        boolean finite = FloatConversion.areFinite(bits, count);
        MemorySegment.copy(bits, 0, target, ValueLayout.JAVA_INT, to, count);
        yield finite;
      }
      case F16 -> {
        MemorySegment.copy(source, SHORTS, from, shorts, 0, count);
        boolean finite = FloatConversion.fromF16(shorts, floats, count);
        MemorySegment.copy(floats, 0, target, ValueLayout.JAVA_FLOAT, to, count);
        yield finite;
      }
      case F64 -> {
        MemorySegment.copy(source, DOUBLES, from, doubles, 0, count);
        boolean finite = FloatConversion.fromF64(doubles, floats, count);
        MemorySegment.copy(floats, 0, target, ValueLayout.JAVA_FLOAT, to, count);
        yield finite;
      }
      case F8_E4M3, F8_E5M2, F8_E8M0 -> {
        MemorySegment.copy(source, ValueLayout.JAVA_BYTE, from, bytes, 0, count);
        eightBit.values(dtype, bytes, count, floats);
        yield put(floats, 0, count, target, to / Float.BYTES) == ALL_FINITE;
      }
      case I8 -> {
        MemorySegment.copy(source, ValueLayout.JAVA_BYTE, from, bytes, 0, count);
        for (int i = 0; i < count; i++) {
          floats[i] = bytes[i];
        }
        MemorySegment.copy(floats, 0, target, ValueLayout.JAVA_FLOAT, to, count);
        yield true;
      }
      case I64, I32, I16, U64, U32, U16, U8, BOOL ->
          throw new IllegalArgumentException("no weights: " + dtype);
    };
  }

  /** Copies floats to index {@code to} of the target; the answer is that of {@link #decode}. */
  long put(float[] values, int first, int count, MemorySegment target, long to) {
    MemorySegment.copy(values, first, target, ValueLayout.JAVA_FLOAT, to * Float.BYTES, count);
    for (int done = 0; done < count; done += TILE) {
      int tile = Math.min(TILE, count - done);
      // A second copy, as integers, costs less than a reduction over floats.
      MemorySegment.copy(target, ValueLayout.JAVA_INT, (to + done) * Float.BYTES, bits, 0, tile);
      if (!FloatConversion.areFinite(bits, tile)) {
        return done + firstBroken(target, to + done, tile);
      }
    }
    return ALL_FINITE;
  }

  private static int firstBroken(MemorySegment target, long at, int count) {
    int broken = 0;
    while (broken < count - 1
        && Float.isFinite(target.getAtIndex(ValueLayout.JAVA_FLOAT, at + broken))) {
      broken++;
    }
    return broken;
  }
}

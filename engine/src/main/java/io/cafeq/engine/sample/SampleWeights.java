package io.cafeq.engine.sample;

import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.FloatConversion;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * The weights of one tensor by position: a hash of seed, name and position gives each, so that
 * files, pieces and threads change nothing. Rows differ in scale by up to two, and a share of the
 * input channels is 4 to 12 times larger.
 */
final class SampleWeights {
  static final int TILE = 1 << 14;
  private static final ValueLayout.OfShort SHORTS =
      ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfFloat FLOATS =
      ValueLayout.JAVA_FLOAT.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final float DEVIATION = 0.02f;
  private static final int LANES = 4;
  private static final long ROW_SALT = 0x5DEECE66DL;

  private final float[] table;
  private final Dtype dtype;
  private final float[] values = new float[TILE];
  private final int[] bits = new int[TILE];
  private final short[] shorts = new short[TILE];

  SampleWeights(float[] table, Dtype dtype) {
    this.table = table;
    this.dtype = dtype;
  }

  /** A matrix, given by a stream key and the scale of every column. */
  static final class Matrix {
    private final long key;
    private final float[] columnScales;

    Matrix(long seed, String name, int columns, double outlierShare) {
      key = streamOf(seed, name);
      columnScales = new float[columns];
      for (int i = 0; i < columns; i++) {
        long hash = mix(~key + i);
        boolean outlier = uniform(hash) < outlierShare;
        columnScales[i] = DEVIATION * (outlier ? 4 + 8 * (float) uniform(mix(hash)) : 1);
      }
    }
  }

  /**
   * The {@code count} weights from {@code element} on, a multiple of four, into {@code target}; at
   * most one tile.
   */
  void matrix(Matrix matrix, long element, int count, MemorySegment target) {
    draw(matrix.key, element, count);
    float[] scales = matrix.columnScales;
    long row = element / scales.length;
    int column = (int) (element % scales.length);
    for (int i = 0; i < count; row++, column = 0) {
      int length = Math.min(count - i, scales.length - column);
      float rowScale = (float) (0.7 + 0.7 * uniform(mix(matrix.key ^ (ROW_SALT * (row + 1)))));
      for (int j = 0; j < length; j++) {
        values[i + j] *= rowScale * scales[column + j];
      }
      i += length;
    }
    store(count, target);
  }

  /** Weights of a norm, near one. */
  void norm(long seed, String name, long element, int count, MemorySegment target) {
    draw(streamOf(seed, name), element, count);
    for (int i = 0; i < count; i++) {
      values[i] = 1 + 0.05f * values[i];
    }
    store(count, target);
  }

  private void draw(long key, long element, int count) {
    if (element % LANES != 0) {
      throw new IllegalArgumentException("element " + element + " is no multiple of " + LANES);
    }
    long counter = key + element / LANES;
    int whole = count - count % LANES;
    for (int i = 0; i < whole; i += LANES) {
      long hash = mix(counter++);
      values[i] = table[(int) hash & 0xFFFF];
      values[i + 1] = table[(int) (hash >>> 16) & 0xFFFF];
      values[i + 2] = table[(int) (hash >>> 32) & 0xFFFF];
      values[i + 3] = table[(int) (hash >>> 48)];
    }
    long hash = mix(counter);
    for (int i = whole; i < count; i++) {
      values[i] = table[(int) (hash >>> (16 * (i - whole))) & 0xFFFF];
    }
  }

  private void store(int count, MemorySegment target) {
    switch (dtype) {
      case BF16 -> {
        for (int i = 0; i < count; i++) {
          bits[i] = Float.floatToRawIntBits(values[i]);
        }
        FloatConversion.toBf16(bits, shorts, count);
        MemorySegment.copy(shorts, 0, target, SHORTS, 0, count);
      }
      case F16 -> {
        FloatConversion.toF16(values, shorts, count);
        MemorySegment.copy(shorts, 0, target, SHORTS, 0, count);
      }
      case F32 -> MemorySegment.copy(values, 0, target, FLOATS, 0, count);
      case F64, F8_E4M3, F8_E5M2, F8_E8M0, I64, I32, I16, I8, U64, U32, U16, U8, BOOL ->
          throw new IllegalStateException("a sample cannot have " + dtype);
    }
  }

  private static long streamOf(long seed, String name) {
    long key = mix(seed);
    for (byte b : name.getBytes(StandardCharsets.UTF_8)) {
      key = mix(key + b);
    }
    return key;
  }

  /**
   * A bijection of 64 bits in which every input bit reaches every output bit: two rounds of
   * xor-shift and multiply.
   */
  private static long mix(long value) {
    long x = value * 0x9E3779B97F4A7C15L;
    x = (x ^ (x >>> 32)) * 0xD6E8FEB86659FD93L;
    x = (x ^ (x >>> 32)) * 0xD6E8FEB86659FD93L;
    return x ^ (x >>> 32);
  }

  private static double uniform(long hash) {
    return (hash >>> 11) * 0x1p-53;
  }
}

package io.cafeq.engine.grid;

import io.cafeq.config.ScaleStorage;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * The values of a slab's codes, by the definition in {@link EncodedSlab}. Borrows the slab; its
 * arrays are reused. Not thread-safe.
 */
public final class GridValues {
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final EncodedSlab slab;
  private final GridSpec grid;
  private final int groupSize;
  private final long codeBytes;
  private final long scaleBytes;
  private final long zeroBytes;
  private byte[] codes = new byte[0];
  private byte[] groupCodes = new byte[0];
  private float[] scales = new float[0];
  private float[] zeros = new float[0];

  public GridValues(EncodedSlab slab) {
    this.slab = slab;
    this.grid = slab.grid();
    this.groupSize = grid.groupSize(slab.columns());
    this.codeBytes = EncodedSlab.codeBytes(grid, slab.columns());
    this.scaleBytes = EncodedSlab.scaleBytes(grid, slab.columns());
    this.zeroBytes = EncodedSlab.zeroBytes(grid, slab.columns());
  }

  /** Values of columns [column, column + count) of a row to out[0, count). */
  public void read(int row, int column, int count, float[] out) {
    if (count == 0) {
      return;
    }
    int firstGroup = column / groupSize;
    int groups = (column + count - 1) / groupSize + 1 - firstGroup;
    grow(count, groups);
    readScales(row, firstGroup, groups);
    readZeros(row, firstGroup, groups);
    int from = unpack(slab.codes(), row * codeBytes, column, count, grid.bits(), codes);
    boolean minimum =
        grid.storage() == ScaleStorage.F16_MINIMUM || grid.storage() == ScaleStorage.K_MINIMUM;
    int done = 0;
    for (int group = 0; group < groups; group++) {
      int end = Math.min(count, (firstGroup + group + 1) * groupSize - column);
      if (minimum) {
        addMinimum(codes, from + done, out, done, end - done, scales[group], zeros[group]);
      } else {
        subtractZero(codes, from + done, out, done, end - done, scales[group], zeros[group]);
      }
      done = end;
    }
  }

  /** Codes of columns [column, column + count) of a row, unsigned, to out[0, count). */
  public void readCodes(int row, int column, int count, byte[] out) {
    grow(count, 0);
    int from = unpack(slab.codes(), row * codeBytes, column, count, grid.bits(), codes);
    System.arraycopy(codes, from, out, 0, count);
  }

  /**
   * The grid of each group of a row.
   *
   * @param scaleOut takes the scales, exponents included
   * @param zeroOut takes the zero points, in codes and possibly fractions of one, or the minimums
   *     of {@link ScaleStorage#F16_MINIMUM} and {@link ScaleStorage#K_MINIMUM}
   */
  public void readGrid(int row, float[] scaleOut, float[] zeroOut) {
    int groups = grid.groups(slab.columns());
    grow(0, groups);
    readScales(row, 0, groups);
    readZeros(row, 0, groups);
    System.arraycopy(scales, 0, scaleOut, 0, groups);
    System.arraycopy(zeros, 0, zeroOut, 0, groups);
  }

  private static void subtractZero(
      byte[] codes, int from, float[] out, int to, int count, float scale, float zero) {
    for (int i = 0; i < count; i++) {
      out[to + i] = ((codes[from + i] & 0xFF) - zero) * scale;
    }
  }

  private static void addMinimum(
      byte[] codes, int from, float[] out, int to, int count, float scale, float minimum) {
    for (int i = 0; i < count; i++) {
      out[to + i] = (codes[from + i] & 0xFF) * scale + minimum;
    }
  }

  private void readScales(int row, int first, int count) {
    float factor = RowExponents.factor(slab.exponent(row));
    if (grid.scalesAreF16()) {
      halves(slab.scales(), row * scaleBytes + 2L * first, count, factor, scales);
      return;
    }
    if (grid.storage().hasSuperBlocks()) {
      int middle = grid.storage() == ScaleStorage.K_SIGNED ? grid.scaleMiddle() : 0;
      products(slab.scales(), row * scaleBytes, row, 0, first, count, middle, factor, scales);
      return;
    }
    double rowScale = (double) Float.float16ToFloat(slab.rowScales().get(SHORT, 2L * row)) * factor;
    int levels = (1 << grid.scaleBits()) - 1;
    int from = unpack(slab.scales(), row * scaleBytes, first, count, grid.scaleBits(), groupCodes);
    for (int i = 0; i < count; i++) {
      scales[i] = (float) ((groupCodes[from + i] & 0xFF) * rowScale / levels);
    }
  }

  private void readZeros(int row, int first, int count) {
    switch (grid.storage()) {
      case SYMMETRIC -> Arrays.fill(zeros, 0, count, grid.top() / 2f);
      case SIGNED, K_SIGNED -> Arrays.fill(zeros, 0, count, grid.middle());
      case K_MINIMUM -> {
        float factor = -RowExponents.factor(slab.exponent(row));
        int after = grid.superBlocks(slab.columns());
        products(slab.zeros(), row * zeroBytes, row, after, first, count, 0, factor, zeros);
      }
      case F16_MINIMUM ->
          halves(
              slab.zeros(),
              row * zeroBytes + 2L * first,
              count,
              RowExponents.factor(slab.exponent(row)),
              zeros);
      case ZERO_POINT, F16, OFFSET -> {
        int from = unpack(slab.zeros(), row * zeroBytes, first, count, grid.zeroBits(), groupCodes);
        float units = grid.storage() == ScaleStorage.OFFSET ? 1 << (8 - grid.bits()) : 1;
        for (int i = 0; i < count; i++) {
          zeros[i] = (groupCodes[from + i] & 0xFF) / units;
        }
      }
    }
  }

  /**
   * Products of the codes of groups and the factors of their super-blocks.
   *
   * @param from codes of {@code scaleBits} bits
   * @param skipped f16 numbers of the row before the factors
   * @param middle the code that stands for 0
   */
  private void products(
      MemorySegment from,
      long offset,
      int row,
      int skipped,
      int first,
      int count,
      int middle,
      float factor,
      float[] to) {
    int together = grid.superGroups(slab.columns());
    long halves = (long) row * grid.rowScales(slab.columns()) + skipped;
    int at = unpack(from, offset, first, count, grid.scaleBits(), groupCodes);
    for (int i = 0; i < count; i++) {
      short half = slab.rowScales().get(SHORT, 2 * (halves + (first + i) / together));
      to[i] = Float.float16ToFloat(half) * factor * ((groupCodes[at + i] & 0xFF) - middle);
    }
  }

  private static void halves(MemorySegment from, long offset, int count, float factor, float[] to) {
    for (int i = 0; i < count; i++) {
      to[i] = Float.float16ToFloat(from.get(SHORT, offset + 2L * i)) * factor;
    }
  }

  /**
   * Unpacks from the last multiple of eight at or below {@code first}, where codes begin at a whole
   * byte, and returns where {@code first} is in {@code to}.
   */
  private static int unpack(
      MemorySegment from, long offset, int first, int count, int bits, byte[] to) {
    int start = first & ~7;
    Packing.unpack(from, offset + (long) start / 8 * bits, first - start + count, bits, to, 0);
    return first - start;
  }

  private void grow(int count, int groups) {
    if (codes.length < count + 16) {
      codes = new byte[count + 16];
    }
    if (scales.length < groups) {
      scales = new float[groups];
      zeros = new float[groups];
      groupCodes = new byte[groups + 16];
    }
  }
}

package io.cafeq.engine.grid;

import io.cafeq.config.ScaleStorage;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Native memory for one encoded slab, filled row by row and reused. The arena owns it. */
public final class SlabBuffers {
  private static final ValueLayout.OfShort HALF =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final GridSpec grid;
  private final int columns;
  private final MemorySegment codes;
  private final MemorySegment rowScales;
  private final MemorySegment scales;
  private final MemorySegment zeros;
  private final MemorySegment exponents;
  private final byte[] groupCodes;

  public SlabBuffers(Arena arena, GridSpec grid, int rows, int columns) {
    this.grid = grid;
    this.columns = columns;
    codes = arena.allocate(Math.max(1, rows * EncodedSlab.codeBytes(grid, columns)), 64);
    rowScales = arena.allocate(Math.max(1, rows * EncodedSlab.rowScaleBytes(grid, columns)), 64);
    scales = arena.allocate(Math.max(1, rows * EncodedSlab.scaleBytes(grid, columns)), 64);
    zeros = arena.allocate(Math.max(1, rows * EncodedSlab.zeroBytes(grid, columns)), 64);
    exponents = arena.allocate(Math.max(1, rows), 64);
    groupCodes = new byte[grid.groups(columns) + 8];
  }

  /** Bytes of native memory that the buffers take. */
  public static long bytes(GridSpec grid, int rows, int columns) {
    return rows
        * (EncodedSlab.codeBytes(grid, columns)
            + EncodedSlab.rowScaleBytes(grid, columns)
            + EncodedSlab.scaleBytes(grid, columns)
            + EncodedSlab.zeroBytes(grid, columns)
            + 1);
  }

  /** Packs one row of codes. */
  public void codes(int row, byte[] source, int from) {
    Packing.pack(
        source, from, columns, grid.bits(), codes, row * EncodedSlab.codeBytes(grid, columns));
  }

  /**
   * Writes one row's scales and zero points as stored (codes, or f16 bits), from {@code firstLane}
   * of the arrays on.
   *
   * @param exponent of the power of two that the f16 numbers are multiplied with
   * @param ownScales the row's own f16 numbers, {@link GridSpec#rowScales} of them
   */
  public void grid(
      int row, int exponent, short[] ownScales, int[] scaleCodes, int[] zeroCodes, int firstLane) {
    exponents.set(ValueLayout.JAVA_BYTE, row, (byte) exponent);
    int own = grid.rowScales(columns);
    for (int i = 0; i < own; i++) {
      rowScales.set(HALF, 2 * ((long) row * own + i), ownScales[i]);
    }
    long scaleAt = row * EncodedSlab.scaleBytes(grid, columns);
    if (grid.scalesAreF16()) {
      halves(scaleCodes, firstLane, scales, scaleAt);
    } else {
      packed(scaleCodes, firstLane, grid.scaleBits(), scales, scaleAt);
    }
    long zeroAt = row * EncodedSlab.zeroBytes(grid, columns);
    if (grid.storage() == ScaleStorage.F16_MINIMUM) {
      halves(zeroCodes, firstLane, zeros, zeroAt);
    } else if (grid.zeroBits() > 0) {
      packed(zeroCodes, firstLane, grid.zeroBits(), zeros, zeroAt);
    }
  }

  private void halves(int[] values, int first, MemorySegment out, long at) {
    for (int i = 0; i < grid.groups(columns); i++) {
      out.set(HALF, at + 2L * i, (short) values[first + i]);
    }
  }

  private void packed(int[] values, int first, int bits, MemorySegment out, long at) {
    int groups = grid.groups(columns);
    for (int i = 0; i < groups; i++) {
      groupCodes[i] = (byte) values[first + i];
    }
    Packing.pack(groupCodes, 0, groups, bits, out, at);
  }

  /** The first {@code rows} rows, borrowed until the next row is written. */
  public EncodedSlab slab(int rows, double squaredError, double squaredNorm) {
    return slab(rows, squaredError, squaredNorm, 0, 0);
  }

  /** The same with the error and the norm of the outputs. */
  public EncodedSlab slab(
      int rows, double squaredError, double squaredNorm, double outputError, double outputNorm) {
    return new EncodedSlab(
        grid,
        rows,
        columns,
        codes.asSlice(0, rows * EncodedSlab.codeBytes(grid, columns)),
        rowScales.asSlice(0, rows * EncodedSlab.rowScaleBytes(grid, columns)),
        scales.asSlice(0, rows * EncodedSlab.scaleBytes(grid, columns)),
        zeros.asSlice(0, rows * EncodedSlab.zeroBytes(grid, columns)),
        exponents(rows),
        squaredError,
        squaredNorm,
        outputError,
        outputNorm);
  }

  /**
   * A slab of these buffers times 2^exponent, in place; its errors and norms stay as they were
   * measured. Where an exponent ends, f16 itself goes on, as far as it reaches.
   */
  public EncodedSlab multiplied(EncodedSlab slab, int exponent) {
    if (exponent == 0) {
      return slab;
    }
    for (int row = 0; row < slab.rows(); row++) {
      int sum = slab.exponent(row) + exponent;
      int stored = Math.clamp(sum, RowExponents.LEAST, Byte.MAX_VALUE);
      multiplyHalves(row, sum - stored);
      exponents.set(ValueLayout.JAVA_BYTE, row, (byte) stored);
    }
    return new EncodedSlab(
        grid,
        slab.rows(),
        columns,
        slab.codes(),
        slab.rowScales(),
        slab.scales(),
        slab.zeros(),
        exponents(slab.rows()),
        slab.squaredError(),
        slab.squaredNorm(),
        slab.outputError(),
        slab.outputNorm());
  }

  private void multiplyHalves(int row, int exponent) {
    if (exponent == 0) {
      return;
    }
    multiplyHalves(rowScales, row, EncodedSlab.rowScaleBytes(grid, columns), exponent);
    if (grid.scalesAreF16()) {
      multiplyHalves(scales, row, EncodedSlab.scaleBytes(grid, columns), exponent);
    }
    if (grid.storage() == ScaleStorage.F16_MINIMUM) {
      multiplyHalves(zeros, row, EncodedSlab.zeroBytes(grid, columns), exponent);
    }
  }

  private static void multiplyHalves(MemorySegment segment, int row, long bytes, int exponent) {
    for (long at = row * bytes; at < (row + 1) * bytes; at += 2) {
      float half = Float.float16ToFloat(segment.get(HALF, at));
      segment.set(HALF, at, HalfFloats.signed(Math.scalb(half, exponent)));
    }
  }

  /** Those of the first rows; empty where all are 0. */
  private MemorySegment exponents(int rows) {
    MemorySegment first = exponents.asSlice(0, rows);
    for (int row = 0; row < rows; row++) {
      if (first.get(ValueLayout.JAVA_BYTE, row) != 0) {
        return first;
      }
    }
    return MemorySegment.NULL;
  }
}

package io.cafeq.engine.grid;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Codes and grids of a slab: consecutive rows of one tensor that are quantized and stored together
 * (a tile of whole rows), exactly as stored. Code (r, c) stands for (code - zero) * scale of its
 * row and group, or code * scale + minimum (see {@link io.cafeq.config.ScaleStorage}). The segments
 * are borrowed from the maker of the slab and hold little-endian values; those that the storage
 * does not have are empty.
 *
 * <p>f16 covers 40 powers of two only. A row that needs others has an exponent e: its row scale, or
 * its f16 scales and f16 minimums, stand for 2^e times themselves. Ordinary rows have the exponent
 * 0, and a slab of such rows stores none.
 *
 * <p>The value of a code, to the bit: scale = (float) ((double) scale code * row scale /
 * (2^scaleBits - 1)), or the stored f16; zero = (2^bits - 1) / 2f, the zero point's code, or
 * (offset) that code / 2^(8 - bits), all exact floats; value = (code - zero) * scale, one float
 * product, or (f16-minimum) code * scale + minimum, a float product and a float sum that are not
 * fused. With super-blocks (k-minimum, k-signed) scale = factor * code and minimum = - (factor of
 * minimums * code), float products, where signed codes of scales count from 2^(scaleBits - 1).
 *
 * @param codes packed by {@link Packing} row by row, each row padded to whole bytes
 * @param rowScales compact storages: one f16 per row; with super-blocks one f16 factor for each,
 *     and then (k-minimum) one more for the minimums of each
 * @param scales compact storages: codes of scaleBits bits packed row by row, scale = code /
 *     (2^scaleBits - 1) * row scale; else one f16 per group
 * @param zeros packed row by row: the zero points' codes ({@link GridSpec#zeroBits()} bits each),
 *     or f16 minimums
 * @param exponents one signed byte per row; empty where all rows have 0
 * @param squaredError sum of (effective - original)^2, with the transform undone; with blocks whose
 *     metric is given, the error in that metric
 * @param squaredNorm sum of the original squares
 * @param outputError sum over rows of e^T H e, e the error of an effective row and H the (damped)
 *     metric that it was rounded in; 0 without one
 * @param outputNorm the same of the original rows
 */
public record EncodedSlab(
    GridSpec grid,
    int rows,
    int columns,
    MemorySegment codes,
    MemorySegment rowScales,
    MemorySegment scales,
    MemorySegment zeros,
    MemorySegment exponents,
    double squaredError,
    double squaredNorm,
    double outputError,
    double outputNorm) {
  /** A slab of ordinary rows that was rounded without a metric of inputs. */
  public EncodedSlab(
      GridSpec grid,
      int rows,
      int columns,
      MemorySegment codes,
      MemorySegment rowScales,
      MemorySegment scales,
      MemorySegment zeros,
      double squaredError,
      double squaredNorm) {
    this(
        grid,
        rows,
        columns,
        codes,
        rowScales,
        scales,
        zeros,
        MemorySegment.NULL,
        squaredError,
        squaredNorm,
        0,
        0);
  }

  /** The slab with other sums of squares of its weights' errors and of its weights. */
  public EncodedSlab withSquares(double error, double norm) {
    return new EncodedSlab(
        grid,
        rows,
        columns,
        codes,
        rowScales,
        scales,
        zeros,
        exponents,
        error,
        norm,
        outputError,
        outputNorm);
  }

  /**
   * Returns the slab of a pair, which has no error of its own: only the product is compared with
   * the source.
   */
  public EncodedSlab withoutErrors() {
    return new EncodedSlab(
        grid, rows, columns, codes, rowScales, scales, zeros, exponents, 0, 0, 0, 0);
  }

  /**
   * Rows [first, first + count) of the slab, as views of the same segments; its errors stay those
   * of the whole slab.
   */
  public EncodedSlab slice(int first, int count) {
    if (first == 0 && count == rows) {
      return this;
    }
    return new EncodedSlab(
        grid,
        count,
        columns,
        slice(codes, codeBytes(grid, columns), first, count),
        slice(rowScales, rowScaleBytes(grid, columns), first, count),
        slice(scales, scaleBytes(grid, columns), first, count),
        slice(zeros, zeroBytes(grid, columns), first, count),
        exponents.byteSize() == 0 ? exponents : slice(exponents, 1, first, count),
        squaredError,
        squaredNorm,
        outputError,
        outputNorm);
  }

  private static MemorySegment slice(MemorySegment all, long rowBytes, int first, int count) {
    return all.asSlice(first * rowBytes, count * rowBytes);
  }

  /** The power of two that a row's f16 numbers are multiplied with. */
  public int exponent(int row) {
    return exponents.byteSize() == 0 ? 0 : exponents.get(ValueLayout.JAVA_BYTE, row);
  }

  /** Bits of the exponents. */
  public long exponentBits() {
    return 8 * exponents.byteSize();
  }

  /** Bytes of one packed row of codes. */
  public static long codeBytes(GridSpec grid, int columns) {
    return Packing.bytes(columns, grid.bits());
  }

  /** Bytes of one row's scales. */
  public static long scaleBytes(GridSpec grid, int columns) {
    int groups = grid.groups(columns);
    return grid.scalesAreF16() ? 2L * groups : Packing.bytes(groups, grid.scaleBits());
  }

  /** Bytes of one row's zero points or minimums. */
  public static long zeroBytes(GridSpec grid, int columns) {
    int groups = grid.groups(columns);
    return grid.zeroBits() == 16 ? 2L * groups : Packing.bytes(groups, grid.zeroBits());
  }

  /** Bytes of one row's own f16 numbers. */
  public static long rowScaleBytes(GridSpec grid, int columns) {
    return 2L * grid.rowScales(columns);
  }
}

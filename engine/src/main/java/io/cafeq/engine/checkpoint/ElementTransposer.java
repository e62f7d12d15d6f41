package io.cafeq.engine.checkpoint;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Transposes matrices of elements of 1, 2, 4 or 8 bytes, in blocks that stay in the first-level
 * cache. Holds 120 KB on the heap; not thread-safe.
 */
public final class ElementTransposer {
  private static final int SIDE = 64;
  private static final ValueLayout.OfShort SHORTS = ValueLayout.JAVA_SHORT_UNALIGNED;
  private static final ValueLayout.OfInt INTS = ValueLayout.JAVA_INT_UNALIGNED;
  private static final ValueLayout.OfLong LONGS = ValueLayout.JAVA_LONG_UNALIGNED;

  private final byte[] bytes = new byte[SIDE * SIDE];
  private final byte[] turnedBytes = new byte[SIDE * SIDE];
  private final short[] shorts = new short[SIDE * SIDE];
  private final short[] turnedShorts = new short[SIDE * SIDE];
  private final int[] ints = new int[SIDE * SIDE];
  private final int[] turnedInts = new int[SIDE * SIDE];
  private final long[] longs = new long[SIDE * SIDE];
  private final long[] turnedLongs = new long[SIDE * SIDE];

  /** A matrix of elements inside a segment, row-major. Borrows the segment. */
  public record Area(MemorySegment segment, long at, long stride) {
    private long offset(int row, int column, int size) {
      return at + row * stride + (long) column * size;
    }
  }

  /**
   * Copies entry (row, column) of {@code from} to (column, row) of {@code to}; {@code size} is an
   * element's bytes.
   */
  public void transpose(Area from, int rows, int columns, int size, Area to) {
    for (int row = 0; row < rows; row += SIDE) {
      int height = Math.min(SIDE, rows - row);
      for (int column = 0; column < columns; column += SIDE) {
        int width = Math.min(SIDE, columns - column);
        switch (size) {
          case Byte.BYTES -> bytes(from, to, row, column, height, width);
          case Short.BYTES -> shorts(from, to, row, column, height, width);
          case Integer.BYTES -> ints(from, to, row, column, height, width);
          case Long.BYTES -> longs(from, to, row, column, height, width);
          default -> throw new IllegalArgumentException("elements of " + size + " bytes");
        }
      }
    }
  }

  private void bytes(Area from, Area to, int row, int column, int height, int width) {
    for (int i = 0; i < height; i++) {
      MemorySegment.copy(
          from.segment,
          ValueLayout.JAVA_BYTE,
          from.offset(row + i, column, Byte.BYTES),
          bytes,
          i * SIDE,
          width);
    }
    for (int j = 0; j < width; j++) {
      for (int i = 0; i < height; i++) {
        turnedBytes[j * SIDE + i] = bytes[i * SIDE + j];
      }
    }
    for (int j = 0; j < width; j++) {
      MemorySegment.copy(
          turnedBytes,
          j * SIDE,
          to.segment,
          ValueLayout.JAVA_BYTE,
          to.offset(column + j, row, Byte.BYTES),
          height);
    }
  }

  private void shorts(Area from, Area to, int row, int column, int height, int width) {
    for (int i = 0; i < height; i++) {
      MemorySegment.copy(
          from.segment, SHORTS, from.offset(row + i, column, Short.BYTES), shorts, i * SIDE, width);
    }
    for (int j = 0; j < width; j++) {
      for (int i = 0; i < height; i++) {
        turnedShorts[j * SIDE + i] = shorts[i * SIDE + j];
      }
    }
    for (int j = 0; j < width; j++) {
      MemorySegment.copy(
          turnedShorts,
          j * SIDE,
          to.segment,
          SHORTS,
          to.offset(column + j, row, Short.BYTES),
          height);
    }
  }

  private void ints(Area from, Area to, int row, int column, int height, int width) {
    for (int i = 0; i < height; i++) {
      MemorySegment.copy(
          from.segment, INTS, from.offset(row + i, column, Integer.BYTES), ints, i * SIDE, width);
    }
    for (int j = 0; j < width; j++) {
      for (int i = 0; i < height; i++) {
        turnedInts[j * SIDE + i] = ints[i * SIDE + j];
      }
    }
    for (int j = 0; j < width; j++) {
      MemorySegment.copy(
          turnedInts,
          j * SIDE,
          to.segment,
          INTS,
          to.offset(column + j, row, Integer.BYTES),
          height);
    }
  }

  private void longs(Area from, Area to, int row, int column, int height, int width) {
    for (int i = 0; i < height; i++) {
      MemorySegment.copy(
          from.segment, LONGS, from.offset(row + i, column, Long.BYTES), longs, i * SIDE, width);
    }
    for (int j = 0; j < width; j++) {
      for (int i = 0; i < height; i++) {
        turnedLongs[j * SIDE + i] = longs[i * SIDE + j];
      }
    }
    for (int j = 0; j < width; j++) {
      MemorySegment.copy(
          turnedLongs, j * SIDE, to.segment, LONGS, to.offset(column + j, row, Long.BYTES), height);
    }
  }
}

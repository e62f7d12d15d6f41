package io.cafeq.engine.measure;

import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.statistics.MomentSums;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Reads the upper triangle of a symmetric matrix, stored row by row, as the whole square. */
final class UpperTriangle {
  private static final int TILE = 64;

  private UpperTriangle() {}

  /** Fills memory with the stored bytes from an offset on. */
  @FunctionalInterface
  interface Source {
    void read(long offset, MemorySegment target);
  }

  /**
   * @param square [n, n], to be filled
   * @param scratch some memory, of any size
   */
  static void read(Source source, FloatMatrix square, MemorySegment scratch) {
    int size = square.columns();
    long at = 0;
    for (int row = 0; row < size; ) {
      int last = row;
      long bytes = 0;
      // as many rows as the scratch holds, at least a part of one
      while (last < size && bytes + rowBytes(size, last) <= scratch.byteSize()) {
        bytes += rowBytes(size, last);
        last++;
      }
      if (last == row) {
        readLongRow(source, at, square, row, scratch);
        at += rowBytes(size, row);
        row++;
        continue;
      }
      source.read(at, scratch.asSlice(0, bytes));
      long from = 0;
      for (; row < last; row++) {
        MemorySegment.copy(
            scratch,
            MomentSums.FLOATS,
            from,
            square.segment(),
            ValueLayout.JAVA_FLOAT,
            ((long) row * size + row) * Float.BYTES,
            size - row);
        from += rowBytes(size, row);
      }
      at += bytes;
    }
    mirror(square);
  }

  private static void readLongRow(
      Source source, long at, FloatMatrix square, int row, MemorySegment scratch) {
    long target = ((long) row * square.columns() + row) * Float.BYTES;
    long bytes = rowBytes(square.columns(), row);
    for (long done = 0; done < bytes; done += scratch.byteSize()) {
      MemorySegment piece = scratch.asSlice(0, Math.min(scratch.byteSize(), bytes - done));
      source.read(at + done, piece);
      MemorySegment.copy(
          piece,
          MomentSums.FLOATS,
          0,
          square.segment(),
          ValueLayout.JAVA_FLOAT,
          target + done,
          piece.byteSize() / Float.BYTES);
    }
  }

  private static long rowBytes(int size, int row) {
    return (long) (size - row) * Float.BYTES;
  }

  /**
   * In tiles, so that neither side of the diagonal is walked through by columns of the whole
   * matrix.
   */
  private static void mirror(FloatMatrix square) {
    int size = square.columns();
    for (int top = 0; top < size; top += TILE) {
      for (int left = top; left < size; left += TILE) {
        int bottom = Math.min(size, top + TILE);
        int right = Math.min(size, left + TILE);
        for (int i = top; i < bottom; i++) {
          for (int j = Math.max(left, i + 1); j < right; j++) {
            square.set(j, i, square.get(i, j));
          }
        }
      }
    }
  }
}

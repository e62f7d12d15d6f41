package io.cafeq.engine.memory;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A row-major float matrix in native memory: entry (i, j) at index {@code i * columns + j}, native
 * byte order. The arena that made the segment owns it; a matrix only borrows.
 */
public record FloatMatrix(MemorySegment segment, int rows, int columns) {
  /** Row-major floats, aligned for BLAS. */
  public static FloatMatrix allocate(Arena arena, int rows, int columns) {
    return new FloatMatrix(
        arena.allocate(Math.max(1L, (long) rows * columns) * Float.BYTES, 64), rows, columns);
  }

  public long elements() {
    return (long) rows * columns;
  }

  public float get(int row, int column) {
    return segment.getAtIndex(ValueLayout.JAVA_FLOAT, (long) row * columns + column);
  }

  public void set(int row, int column, float value) {
    segment.setAtIndex(ValueLayout.JAVA_FLOAT, (long) row * columns + column, value);
  }

  /**
   * Adds the squares of each column's entries.
   *
   * @param sums [columns]
   */
  public void addColumnSquares(double[] sums) {
    float[] row = new float[columns];
    for (int i = 0; i < rows; i++) {
      long at = (long) Float.BYTES * i * columns;
      MemorySegment.copy(segment, ValueLayout.JAVA_FLOAT, at, row, 0, columns);
      for (int j = 0; j < columns; j++) {
        sums[j] += (double) row[j] * row[j];
      }
    }
  }

  /** The rows [first, first + count) of this matrix, sharing its memory. */
  public FloatMatrix slice(int first, int count) {
    long rowBytes = (long) columns * Float.BYTES;
    return new FloatMatrix(segment.asSlice(first * rowBytes, count * rowBytes), count, columns);
  }
}

package io.cafeq.engine.memory;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A row-major double matrix in native memory, for the few steps whose sums need more than floats:
 * entry (i, j) at index {@code i * columns + j}. The arena that made the segment owns it; a matrix
 * only borrows.
 */
public record DoubleMatrix(MemorySegment segment, int rows, int columns) {
  /** Row-major doubles, aligned for BLAS. */
  public static DoubleMatrix allocate(Arena arena, int rows, int columns) {
    return new DoubleMatrix(
        arena.allocate(Math.max(1L, (long) rows * columns) * Double.BYTES, 64), rows, columns);
  }

  public double get(int row, int column) {
    return segment.getAtIndex(ValueLayout.JAVA_DOUBLE, index(row, column));
  }

  public void set(int row, int column, double value) {
    segment.setAtIndex(ValueLayout.JAVA_DOUBLE, index(row, column), value);
  }

  /** Copies {@code count} entries of a row to {@code to} from its start on. */
  public void read(int row, int column, double[] to, int count) {
    MemorySegment.copy(
        segment, ValueLayout.JAVA_DOUBLE, Double.BYTES * index(row, column), to, 0, count);
  }

  /** The reverse of {@link #read}. */
  public void write(int row, int column, double[] from, int count) {
    MemorySegment.copy(
        from, 0, segment, ValueLayout.JAVA_DOUBLE, Double.BYTES * index(row, column), count);
  }

  /** Index of an entry, which can be beyond 2^31. */
  public long index(int row, int column) {
    return (long) row * columns + column;
  }
}

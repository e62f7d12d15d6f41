package io.cafeq.engine.memory;

/**
 * A rectangle of a row-major float matrix: entry (i, j) at index {@code first + i * stride + j} of
 * its memory. Borrows.
 *
 * @param matrix whose memory it is
 * @param firstRow of the rectangle
 * @param firstColumn of the rectangle
 */
public record MatrixView(FloatMatrix matrix, int firstRow, int firstColumn, int rows, int columns) {
  public MatrixView {
    if (firstRow < 0
        || firstColumn < 0
        || rows < 0
        || columns < 0
        || firstRow > matrix.rows() - rows
        || firstColumn > matrix.columns() - columns) {
      throw new IndexOutOfBoundsException(
          "rows %d + %d, columns %d + %d of a matrix [%d, %d]"
              .formatted(firstRow, rows, firstColumn, columns, matrix.rows(), matrix.columns()));
    }
  }

  /** All of a matrix. */
  public static MatrixView of(FloatMatrix matrix) {
    return new MatrixView(matrix, 0, 0, matrix.rows(), matrix.columns());
  }

  /** All rows of some columns. */
  public static MatrixView columns(FloatMatrix matrix, int first, int count) {
    return new MatrixView(matrix, 0, first, matrix.rows(), count);
  }

  /** Index of the first entry. */
  public long first() {
    return (long) firstRow * matrix.columns() + firstColumn;
  }

  /** Floats from one row to the next. */
  public int stride() {
    return matrix.columns();
  }
}

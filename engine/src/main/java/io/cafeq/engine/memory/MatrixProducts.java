package io.cafeq.engine.memory;

/**
 * Products of matrices. The same shapes give the same bits on the same kernel; other shapes, split
 * columns among them, may not. Not thread-safe.
 */
public interface MatrixProducts {
  /**
   * result = scale op(a) op(b) + keep * result, where op transposes or does nothing. The result
   * overlaps neither factor.
   *
   * @param keep 0 where the result's former content has no meaning, be it NaN
   */
  void multiply(
      float scale,
      MatrixView a,
      boolean transposeA,
      MatrixView b,
      boolean transposeB,
      float keep,
      MatrixView result);

  /**
   * matrix -= a^T b in doubles, where a, b and the result are rectangles of one square matrix that
   * do not overlap: a is rows [first, first + inner) of columns [row, row + rows), b the same rows
   * of columns [column, n), and the result rows [row, row + rows) of columns [column, n). It is the
   * step by which a symmetric matrix is factored.
   */
  void subtractSquare(DoubleMatrix matrix, int first, int inner, int row, int rows, int column);

  /** result = a b^T: outputs [tokens, out] of inputs [tokens, in] by weights [out, in]. */
  default void timesTransposed(FloatMatrix a, FloatMatrix b, FloatMatrix result) {
    multiply(1, MatrixView.of(a), false, MatrixView.of(b), true, 0, MatrixView.of(result));
  }

  /** Throws where shapes do not fit; returns the length of the sums. */
  static int requireFit(
      MatrixView a, boolean transposeA, MatrixView b, boolean transposeB, MatrixView result) {
    int rows = transposeA ? a.columns() : a.rows();
    int inner = transposeA ? a.rows() : a.columns();
    int innerOfB = transposeB ? b.columns() : b.rows();
    int columns = transposeB ? b.rows() : b.columns();
    if (inner != innerOfB || rows != result.rows() || columns != result.columns()) {
      throw new IllegalArgumentException(
          "[%d, %d] by [%d, %d] is not [%d, %d]"
              .formatted(rows, inner, innerOfB, columns, result.rows(), result.columns()));
    }
    return inner;
  }
}

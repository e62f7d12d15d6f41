package io.cafeq.engine.rounding;

import io.cafeq.engine.memory.DoubleMatrix;
import io.cafeq.engine.memory.MatrixProducts;

/**
 * Cholesky factors of large matrices: A = R^T R, R upper triangular. Panels of rows are solved in
 * tiles on the heap, and what is below them is updated by products of fixed shapes, so that the
 * result depends on the matrix and the kernel alone.
 */
final class SymmetricFactor {
  private static final int PANEL = 128;
  private static final int TILE = 512;
  private static final int STRIP = 512;

  private final MatrixProducts products;
  private final double[][] corner = new double[PANEL][PANEL];
  private final double[][] tile = new double[PANEL][TILE];

  SymmetricFactor(MatrixProducts products) {
    this.products = products;
  }

  /**
   * Overwrites the upper half, diagonal included, with R; only that half is read, and the lower one
   * has no meaning after.
   *
   * @return false where the matrix is not positive definite; it is spoilt then
   */
  boolean factor(DoubleMatrix matrix) {
    int n = matrix.rows();
    for (int first = 0; first < n; first += PANEL) {
      int size = Math.min(PANEL, n - first);
      if (!factorCorner(matrix, first, size)) {
        return false;
      }
      int next = first + size;
      for (int column = next; column < n; column += TILE) {
        solve(matrix, first, size, column, Math.min(TILE, n - column));
      }
      for (int row = next; row < n; row += STRIP) {
        products.subtractSquare(matrix, first, size, row, Math.min(STRIP, n - row), row);
      }
    }
    return true;
  }

  private boolean factorCorner(DoubleMatrix matrix, int first, int size) {
    for (int i = 0; i < size; i++) {
      matrix.read(first + i, first, corner[i], size);
    }
    for (int i = 0; i < size; i++) {
      double pivot = corner[i][i];
      if (!(pivot > 0) || pivot == Double.POSITIVE_INFINITY) {
        return false;
      }
      scale(corner[i], 1 / Math.sqrt(pivot), size);
      for (int j = i + 1; j < size; j++) {
        addScaled(corner[j], corner[i], -corner[i][j], size);
      }
    }
    for (int i = 0; i < size; i++) {
      matrix.write(first + i, first, corner[i], size);
    }
    return true;
  }

  /** The panel's rows in some columns beyond its corner: R_JK = R_JJ^-T A_JK. */
  private void solve(DoubleMatrix matrix, int first, int size, int column, int count) {
    for (int i = 0; i < size; i++) {
      matrix.read(first + i, column, tile[i], count);
    }
    for (int i = 0; i < size; i++) {
      scale(tile[i], 1 / corner[i][i], count);
      for (int j = i + 1; j < size; j++) {
        addScaled(tile[j], tile[i], -corner[i][j], count);
      }
    }
    for (int i = 0; i < size; i++) {
      matrix.write(first + i, column, tile[i], count);
    }
  }

  private static void addScaled(double[] y, double[] x, double factor, int count) {
    for (int i = 0; i < count; i++) {
      y[i] += factor * x[i];
    }
  }

  private static void scale(double[] y, double factor, int count) {
    for (int i = 0; i < count; i++) {
      y[i] *= factor;
    }
  }
}

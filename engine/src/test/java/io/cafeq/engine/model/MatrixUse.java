package io.cafeq.engine.model;

/**
 * A matrix that a forward pass multiplies by.
 *
 * @param expert its place in a stack of three dimensions; 0 for a tensor that is one matrix
 * @param transposed whether it is stored as [in, out]
 */
public record MatrixUse(String tensor, int expert, boolean transposed) {
  /** Output channels. */
  public int rows(DoubleTensor stored) {
    return transposed ? stored.columns() : stored.rows();
  }

  /** Input channels. */
  public int columns(DoubleTensor stored) {
    return transposed ? stored.rows() : stored.columns();
  }

  /** The weight of an output and an input channel. */
  public double get(DoubleTensor stored, int row, int column) {
    return transposed ? stored.at(expert, column, row) : stored.at(expert, row, column);
  }

  /** Replaces what {@link #get} returns. */
  public void set(DoubleTensor stored, int row, int column, double value) {
    if (transposed) {
      stored.set(expert, column, row, value);
    } else {
      stored.set(expert, row, column, value);
    }
  }

  /** Row-major [out, in], copied. */
  public double[][] toRows(DoubleTensor stored) {
    double[][] matrix = new double[rows(stored)][columns(stored)];
    for (int row = 0; row < matrix.length; row++) {
      for (int column = 0; column < matrix[row].length; column++) {
        matrix[row][column] = get(stored, row, column);
      }
    }
    return matrix;
  }
}

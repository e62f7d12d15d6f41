package io.cafeq.engine.model;

import java.util.List;

/**
 * A tensor in double, row-major in the shape in which the checkpoint stores it. The values belong
 * to it.
 */
public record DoubleTensor(List<Integer> shape, double[] values) {
  public DoubleTensor {
    shape = List.copyOf(shape);
    if (elements(shape) != values.length) {
      throw new IllegalArgumentException(values.length + " values do not fill the shape " + shape);
    }
  }

  /** Zeros. */
  public static DoubleTensor zeros(List<Integer> shape) {
    return new DoubleTensor(shape, new double[elements(shape)]);
  }

  private static int elements(List<Integer> shape) {
    return shape.stream().reduce(1, Math::multiplyExact);
  }

  /** Matrices of a stack, 1 where the tensor is none. */
  public int experts() {
    return shape.size() == 3 ? shape.getFirst() : 1;
  }

  /** The last dimension but one; 1 for a vector. */
  public int rows() {
    return shape.size() < 2 ? 1 : shape.get(shape.size() - 2);
  }

  /** The last dimension. */
  public int columns() {
    return shape.getLast();
  }

  /** An entry of a matrix, or of the matrix of an expert. */
  public double at(int expert, int row, int column) {
    return values[(expert * rows() + row) * columns() + column];
  }

  /** Replaces what {@link #at} returns. */
  public void set(int expert, int row, int column, double value) {
    values[(expert * rows() + row) * columns() + column] = value;
  }

  /** The same values, to be changed apart. */
  public DoubleTensor copy() {
    return new DoubleTensor(shape, values.clone());
  }

  /** A row of a matrix, copied. */
  public double[] row(int row) {
    double[] copy = new double[columns()];
    System.arraycopy(values, row * columns(), copy, 0, columns());
    return copy;
  }
}

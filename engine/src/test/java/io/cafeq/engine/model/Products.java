package io.cafeq.engine.model;

/** How a forward pass multiplies by the matrices that may be quantized: y = W x, without a bias. */
@FunctionalInterface
public interface Products {
  double[] apply(MatrixUse matrix, double[] x);

  /** By the stored weights. */
  static Products dense(Weights weights) {
    return (matrix, x) -> {
      DoubleTensor stored = weights.get(matrix.tensor());
      int rows = matrix.rows(stored);
      if (matrix.columns(stored) != x.length) {
        throw new IllegalArgumentException(
            matrix + " of shape " + stored.shape() + " meets " + x.length + " channels");
      }
      int perRow = matrix.transposed() ? 1 : x.length;
      int perColumn = matrix.transposed() ? rows : 1;
      int start = matrix.expert() * rows * x.length;
      double[] values = stored.values();
      double[] y = new double[rows];
      for (int row = 0; row < rows; row++) {
        double sum = 0;
        for (int column = 0; column < x.length; column++) {
          sum += values[start + row * perRow + column * perColumn] * x[column];
        }
        y[row] = sum;
      }
      return y;
    };
  }
}

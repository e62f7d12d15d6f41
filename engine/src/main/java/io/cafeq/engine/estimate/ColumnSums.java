package io.cafeq.engine.estimate;

/**
 * Sums over the rows of a matrix, for each of its n columns: of w^2 and of w^4. Rows are added in
 * their order, so the same rows give the same bits. Not thread-safe.
 */
final class ColumnSums implements WeightScan.Visitor {
  private final double[] squares;
  private final double[] fourths;
  private long rows;

  /**
   * @param kurtosis whether fourth powers are summed, too
   */
  ColumnSums(int columns, boolean kurtosis) {
    squares = new double[columns];
    fourths = new double[kurtosis ? columns : 0];
  }

  @Override
  public void row(int place, float[] weights) {
    rows++;
    if (fourths.length == 0) {
      addSquares(weights, 1, squares);
    } else {
      addPowers(weights, squares, fourths);
    }
  }

  /** Plain loops over arrays, which the compiler turns into vectors. */
  static void addSquares(float[] weights, double share, double[] squares) {
    for (int i = 0; i < squares.length; i++) {
      double weight = weights[i];
      squares[i] += share * (weight * weight);
    }
  }

  private static void addPowers(float[] weights, double[] squares, double[] fourths) {
    for (int i = 0; i < squares.length; i++) {
      double weight = weights[i];
      double square = weight * weight;
      squares[i] += square;
      fourths[i] += square * square;
    }
  }

  /** Sums of w^2, not to be changed. */
  double[] squares() {
    return squares;
  }

  /** Mean w^4 / (mean w^2)^2 of each column, 1 for columns of zeros. */
  double[] kurtosis() {
    double[] kurtosis = new double[squares.length];
    for (int i = 0; i < kurtosis.length; i++) {
      kurtosis[i] = RowSums.kurtosis(squares[i], fourths[i], rows);
    }
    return kurtosis;
  }
}

package io.cafeq.engine.estimate;

import java.util.Arrays;

/**
 * Sums over the n columns of a matrix, for each of some rows: of w^2, of w^4 and of w^2 t, t a
 * vector [n]. Column j is added to a partial sum j modulo {@link #LANES}, and the partial sums in
 * halves, so that the compiler can use vectors and the bits depend on nothing else. Not
 * thread-safe.
 */
final class RowSums implements WeightScan.Visitor {
  private static final int LANES = 128;

  private final double[] weighting;
  private final int columns;
  private final double[] squares;
  private final double[] fourths;
  private final double[] weighted;
  private final double[] squareLanes = new double[LANES];
  private final double[] fourthLanes = new double[LANES];
  private final double[] weightedLanes = new double[LANES];

  /**
   * @param weighting t, or empty where the plain sums are enough
   */
  RowSums(int rows, int columns, double[] weighting) {
    this.weighting = weighting;
    this.columns = columns;
    squares = new double[rows];
    fourths = new double[weighting.length == 0 ? 0 : rows];
    weighted = new double[weighting.length == 0 ? 0 : rows];
  }

  @Override
  public void row(int place, float[] weights) {
    Arrays.fill(squareLanes, 0);
    if (weighting.length == 0) {
      for (int first = 0; first < columns; first += LANES) {
        addSquares(weights, first, Math.min(LANES, columns - first), squareLanes);
      }
      squares[place] = sum(squareLanes);
      return;
    }
    Arrays.fill(fourthLanes, 0);
    Arrays.fill(weightedLanes, 0);
    for (int first = 0; first < columns; first += LANES) {
      int count = Math.min(LANES, columns - first);
      addAll(weights, first, count);
    }
    squares[place] = sum(squareLanes);
    fourths[place] = sum(fourthLanes);
    weighted[place] = sum(weightedLanes);
  }

  private static void addSquares(float[] weights, int first, int count, double[] lanes) {
    for (int i = 0; i < count; i++) {
      double weight = weights[first + i];
      lanes[i] += weight * weight;
    }
  }

  private void addAll(float[] weights, int first, int count) {
    double[] two = squareLanes;
    double[] four = fourthLanes;
    double[] by = weightedLanes;
    double[] t = weighting;
    for (int i = 0; i < count; i++) {
      double weight = weights[first + i];
      double square = weight * weight;
      two[i] += square;
      four[i] += square * square;
      by[i] += square * t[first + i];
    }
  }

  private static double sum(double[] lanes) {
    for (int half = LANES / 2; half > 0; half /= 2) {
      for (int i = 0; i < half; i++) {
        lanes[i] += lanes[i + half];
      }
    }
    return lanes[0];
  }

  /** Sums of w^2 by row, not to be changed. */
  double[] squares() {
    return squares;
  }

  /** Sum w^2 t / sum w^2 by row, 1 for rows of zeros. */
  double[] concentration() {
    double[] ratio = new double[squares.length];
    for (int i = 0; i < ratio.length; i++) {
      ratio[i] = squares[i] > 0 ? weighted[i] / squares[i] : 1;
    }
    return ratio;
  }

  /** Sums of w^2 t by row, not to be changed. */
  double[] weighted() {
    return weighted;
  }

  /** Mean w^4 / (mean w^2)^2 of each row, 1 for rows of zeros. */
  double[] kurtosis() {
    double[] kurtosis = new double[squares.length];
    for (int i = 0; i < kurtosis.length; i++) {
      kurtosis[i] = kurtosis(squares[i], fourths[i], columns);
    }
    return kurtosis;
  }

  static double kurtosis(double squares, double fourths, long count) {
    double square = squares * squares;
    return square > 0 && fourths > 0 ? count * fourths / square : 1;
  }
}

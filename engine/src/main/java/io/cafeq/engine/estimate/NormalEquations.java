package io.cafeq.engine.estimate;

import io.cafeq.engine.transform.SquareMatrices;

/**
 * Weighted least squares y = X c, in which every input has a constant of its own: weighted means
 * over its channels are taken off first. Sums of k (k + 1) / 2 products, in double. Not
 * thread-safe.
 */
final class NormalEquations {
  /** What is added to the diagonal, as a part of it, so that features that are alike do no harm. */
  private static final double RIDGE = 1e-9;

  private final double[][] products;
  private final double[] targets;
  private double squares;
  private double total;

  /**
   * @param size k, the number of coefficients
   */
  NormalEquations(int size) {
    products = new double[size][size];
    targets = new double[size];
  }

  /**
   * Adds the channels of one input.
   *
   * @param features [k][n]
   * @param logs y [n]
   * @param weights [n], positive
   */
  void add(double[][] features, double[] logs, double[] weights) {
    int k = features.length;
    double[][] centred = new double[k + 1][];
    for (int a = 0; a <= k; a++) {
      centred[a] = centred(a < k ? features[a] : logs, weights);
    }
    for (int i = 0; i < weights.length; i++) {
      double y = centred[k][i];
      total += weights[i];
      squares += weights[i] * y * y;
      for (int a = 0; a < k; a++) {
        double x = weights[i] * centred[a][i];
        targets[a] += x * y;
        for (int b = 0; b <= a; b++) {
          products[a][b] += x * centred[b][i];
        }
      }
    }
  }

  private static double[] centred(double[] values, double[] weights) {
    double sum = 0;
    double all = 0;
    for (int i = 0; i < values.length; i++) {
      sum += weights[i] * values[i];
      all += weights[i];
    }
    double[] centred = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      centred[i] = values[i] - sum / all;
    }
    return centred;
  }

  /** Whether nothing was added. */
  boolean isEmpty() {
    return total == 0;
  }

  /** The coefficients of least squares; all 0 where nothing was added. */
  double[] solve() {
    int k = targets.length;
    double[] raised = new double[k * k];
    for (int a = 0; a < k; a++) {
      for (int b = 0; b < a; b++) {
        raised[a * k + b] = products[a][b];
        raised[b * k + a] = products[a][b];
      }
      raised[a * k + a] = products[a][a] > 0 ? (1 + RIDGE) * products[a][a] : 1;
    }
    return SquareMatrices.apply(SquareMatrices.invert(raised, k), targets);
  }

  /** Weighted mean of squares that coefficients leave; NaN where nothing was added. */
  double loss(double[] coefficients) {
    double sum = squares;
    for (int a = 0; a < coefficients.length; a++) {
      sum -= 2 * coefficients[a] * targets[a];
      for (int b = 0; b < coefficients.length; b++) {
        double product = b <= a ? products[a][b] : products[b][a];
        sum += coefficients[a] * coefficients[b] * product;
      }
    }
    return Math.max(0, sum) / total;
  }
}

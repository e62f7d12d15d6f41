package io.cafeq.engine.model;

import java.util.Random;

/**
 * A random invertible matrix [size, size] with a known inverse: rotation, then factors between 1/2
 * and 2, then another rotation. Its condition number is at most 4.
 */
record RandomMap(double[][] forward, double[][] inverse) {
  static RandomMap of(int size, long seed) {
    Random random = new Random(seed);
    double[][] first = rotation(size, random);
    double[][] second = rotation(size, random);
    double[][] forward = new double[size][size];
    double[][] inverse = new double[size][size];
    for (int axis = 0; axis < size; axis++) {
      double factor = Math.pow(2, 2 * random.nextDouble() - 1);
      for (int i = 0; i < size; i++) {
        for (int j = 0; j < size; j++) {
          forward[i][j] += first[axis][i] * factor * second[axis][j];
          inverse[i][j] += second[axis][i] / factor * first[axis][j];
        }
      }
    }
    return new RandomMap(forward, inverse);
  }

  int size() {
    return forward.length;
  }

  /**
   * Rows that are orthogonal and of length one: each is drawn, then freed of those before it, twice
   * for exactness.
   */
  private static double[][] rotation(int size, Random random) {
    double[][] rows = new double[size][size];
    for (int row = 0; row < size; row++) {
      for (int i = 0; i < size; i++) {
        rows[row][i] = random.nextGaussian();
      }
      for (int pass = 0; pass < 2; pass++) {
        for (int other = 0; other < row; other++) {
          double product = dot(rows[row], rows[other]);
          for (int i = 0; i < size; i++) {
            rows[row][i] -= product * rows[other][i];
          }
        }
        rows[row] = Model.scaled(rows[row], 1 / Math.sqrt(dot(rows[row], rows[row])));
      }
    }
    return rows;
  }

  private static double dot(double[] first, double[] second) {
    double sum = 0;
    for (int i = 0; i < first.length; i++) {
      sum += first[i] * second[i];
    }
    return sum;
  }

  static double[] product(double[][] matrix, double[] x) {
    double[] y = new double[matrix.length];
    for (int i = 0; i < y.length; i++) {
      y[i] = dot(matrix[i], x);
    }
    return y;
  }

  static double[][] transposed(double[][] matrix) {
    double[][] result = new double[matrix[0].length][matrix.length];
    for (int i = 0; i < matrix.length; i++) {
      for (int j = 0; j < matrix[i].length; j++) {
        result[j][i] = matrix[i][j];
      }
    }
    return result;
  }
}

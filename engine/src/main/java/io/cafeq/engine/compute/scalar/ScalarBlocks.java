package io.cafeq.engine.compute.scalar;

import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.transform.LearnProblem;
import java.util.ArrayList;
import java.util.List;

/** The weights of a problem as its blocks meet them. */
final class ScalarBlocks {
  private ScalarBlocks() {}

  /** W_b as [k, n] for each block, divided by the RMS of all. */
  static List<double[][]> of(LearnProblem problem) {
    List<double[][]> blocks = new ArrayList<>();
    FloatMatrix matrix = problem.weights();
    switch (problem) {
      case LearnProblem.Rows rows -> {
        double[][] w = new double[rows.k()][rows.n()];
        for (int j = 0; j < rows.k(); j++) {
          for (int c = 0; c < rows.n(); c++) {
            w[j][c] = rows.transposed() ? matrix.get(c, j) : matrix.get(j, c);
          }
        }
        if (rows.evenColumns()) {
          evenColumns(w);
        }
        blocks.add(w);
      }
      case LearnProblem.Stripe stripe -> {
        int first = 0;
        for (int k : stripe.blocks()) {
          double[][] w = new double[k][matrix.rows()];
          for (int j = 0; j < k; j++) {
            for (int n = 0; n < matrix.rows(); n++) {
              w[j][n] = matrix.get(n, first + j);
            }
          }
          blocks.add(w);
          first += k;
        }
      }
    }
    normalise(blocks);
    return blocks;
  }

  private static void evenColumns(double[][] w) {
    for (int c = 0; c < w[0].length; c++) {
      double sum = 0;
      for (double[] row : w) {
        sum += row[c] * row[c];
      }
      double scale = sum > 0 ? 1 / Math.sqrt(sum / w.length) : 0;
      for (double[] row : w) {
        row[c] *= scale;
      }
    }
  }

  private static void normalise(List<double[][]> blocks) {
    double sum = 0;
    long count = 0;
    for (double[][] w : blocks) {
      for (double[] row : w) {
        for (double x : row) {
          sum += x * x;
        }
        count += row.length;
      }
    }
    double scale = sum > 0 ? 1 / Math.sqrt(sum / count) : 0;
    for (double[][] w : blocks) {
      for (double[] row : w) {
        for (int i = 0; i < row.length; i++) {
          row[i] *= scale;
        }
      }
    }
  }
}

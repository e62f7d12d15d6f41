package io.cafeq.engine.compute.scalar;

import io.cafeq.engine.memory.DoubleMatrix;
import io.cafeq.engine.memory.MatrixProducts;
import io.cafeq.engine.memory.MatrixView;
import java.lang.foreign.ValueLayout;

/** Products in plain loops, each sum in double from the first term to the last. */
final class ScalarProducts implements MatrixProducts {
  @Override
  public void multiply(
      float scale,
      MatrixView a,
      boolean transposeA,
      MatrixView b,
      boolean transposeB,
      float keep,
      MatrixView result) {
    int inner = MatrixProducts.requireFit(a, transposeA, b, transposeB, result);
    for (int i = 0; i < result.rows(); i++) {
      for (int j = 0; j < result.columns(); j++) {
        double sum = 0;
        for (int l = 0; l < inner; l++) {
          sum +=
              (double) (transposeA ? at(a, l, i) : at(a, i, l))
                  * (transposeB ? at(b, j, l) : at(b, l, j));
        }
        double kept = keep == 0 ? 0 : (double) keep * at(result, i, j);
        result
            .matrix()
            .segment()
            .setAtIndex(
                ValueLayout.JAVA_FLOAT,
                result.first() + (long) i * result.stride() + j,
                (float) (scale * sum + kept));
      }
    }
  }

  @Override
  public void subtractSquare(
      DoubleMatrix matrix, int first, int inner, int row, int rows, int column) {
    for (int i = row; i < row + rows; i++) {
      for (int j = column; j < matrix.columns(); j++) {
        double sum = 0;
        for (int l = first; l < first + inner; l++) {
          sum += matrix.get(l, i) * matrix.get(l, j);
        }
        matrix.set(i, j, matrix.get(i, j) - sum);
      }
    }
  }

  private static float at(MatrixView view, int row, int column) {
    return view.matrix()
        .segment()
        .getAtIndex(ValueLayout.JAVA_FLOAT, view.first() + (long) row * view.stride() + column);
  }
}

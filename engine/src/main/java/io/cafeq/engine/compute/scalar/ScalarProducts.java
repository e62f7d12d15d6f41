package io.cafeq.engine.compute.scalar;

import io.cafeq.engine.memory.MatrixProducts;
import io.cafeq.engine.memory.MatrixView;
import java.lang.foreign.ValueLayout;

/** Products in plain loops, each sum in double from the first term to the last. */
final class ScalarProducts implements MatrixProducts {
  @Override
  public void multiply(
      float scale, MatrixView a, boolean transposeA, MatrixView b, boolean transposeB, float keep, MatrixView result) {
    int inner = MatrixProducts.requireFit(a, transposeA, b, transposeB, result);
    for (int i = 0; i < result.rows(); i++) {
      for (int j = 0; j < result.columns(); j++) {
        double sum = 0;
        for (int l = 0; l < inner; l++) {
          sum += (double) (transposeA ? at(a, l, i) : at(a, i, l)) * (transposeB ? at(b, j, l) : at(b, l, j));
        }
        double kept = keep == 0 ? 0 : (double) keep * at(result, i, j);
        result.matrix().segment().setAtIndex(
            ValueLayout.JAVA_FLOAT, result.first() + (long) i * result.stride() + j, (float) (scale * sum + kept));
      }
    }
  }

  private static float at(MatrixView view, int row, int column) {
    return view.matrix().segment().getAtIndex(
        ValueLayout.JAVA_FLOAT, view.first() + (long) row * view.stride() + column);
  }
}

package io.cafeq.engine.estimate;

import io.cafeq.engine.checkpoint.WeightTensor;
import io.cafeq.engine.family.RowBands;

/**
 * Some rows of one matrix [out, in], or of one expert of a stack.
 *
 * @param expert of a stack; 0 for single matrices
 * @param bands within the expert's matrix
 */
record MatrixRows(WeightTensor weight, int expert, RowBands bands) {
  /** All rows of a matrix. */
  static MatrixRows all(WeightTensor weight, int expert) {
    return new MatrixRows(weight, expert, RowBands.of(0, weight.rows()));
  }

  MatrixRows only(RowBands some) {
    return new MatrixRows(weight, expert, some);
  }

  int count() {
    return bands.rows();
  }

  int columns() {
    return weight.columns();
  }

  /** The expert's first row, counted through the whole stack. */
  int firstOfExpert() {
    return expert * weight.rows();
  }
}

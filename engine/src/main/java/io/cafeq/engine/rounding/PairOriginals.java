package io.cafeq.engine.rounding;

import io.cafeq.engine.transform.SquareMatrices;
import java.util.List;

/**
 * What every rounding of a pair is measured against, read once: V V^T and O^T O of each left head, row-major [h, h] in double.
 * They belong to the factors, whatever the grids. On the heap, never changed.
 *
 * @param left of the left factor
 * @param right of the right factor, summed over the right heads of each left head
 */
public record PairOriginals(List<double[]> left, List<double[]> right) {
  public PairOriginals {
    left = List.copyOf(left);
    right = List.copyOf(right);
  }

  /** ||O V||^2 over all heads. */
  double squaredNorm() {
    double norm = 0;
    for (int i = 0; i < left.size(); i++) {
      norm += SquareMatrices.dot(right.get(i), left.get(i));
    }
    return norm;
  }
}

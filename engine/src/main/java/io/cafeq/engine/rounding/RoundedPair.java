package io.cafeq.engine.rounding;

import io.cafeq.engine.transform.BlockTransform;
import java.util.List;

/**
 * The best rounding of a pair that was found, as the blocks that make it again: rounding the original slabs with them, by the
 * same encoder, grids and slabs, gives the codes that the errors belong to. Nothing of the blocks is stored.
 *
 * @param left one block a left head, channels in order, for {@link SlabTransforms.Blocks} on the left factor's side
 * @param right the same for the right factor
 * @param squaredError the sum over all right heads of ||O^ V^ - O V||^2, paper Eq. (5)
 * @param squaredNorm the sum of ||O V||^2
 * @param relativeErrors PQE relative to ||O V||_F after each half step, in order; for independent rounding only that one
 */
public record RoundedPair(
    List<BlockTransform> left,
    List<BlockTransform> right,
    RoundingRule rounding,
    double squaredError,
    double squaredNorm,
    List<Double> relativeErrors) {
  public RoundedPair {
    left = List.copyOf(left);
    right = List.copyOf(right);
    relativeErrors = List.copyOf(relativeErrors);
  }

  /** PQE relative to ||O V||_F; 0 for a product of zeros. */
  public double relativeError() {
    return relative(squaredError, squaredNorm);
  }

  static double relative(double squaredError, double squaredNorm) {
    return squaredNorm > 0 ? Math.sqrt(squaredError / squaredNorm) : 0;
  }
}

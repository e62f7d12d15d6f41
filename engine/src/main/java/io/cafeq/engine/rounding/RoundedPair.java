package io.cafeq.engine.rounding;

import io.cafeq.engine.transform.BlockTransform;
import java.util.List;
import java.util.OptionalDouble;

/**
 * The best rounding of a pair that was found, as the blocks that make it again: rounding the original slabs with them, by the
 * same encoder, grids and slabs and in the same metrics, gives the codes that the errors belong to. Nothing of the blocks is
 * stored. The metrics are borrowed from what the pair was rounded with.
 *
 * @param left one block a left head, channels in order, for {@link SlabTransforms.Blocks} on the left factor's side
 * @param right the same for the right factor
 * @param leftMetric of the left factor's columns
 * @param rightMetric of the right factor's columns, as transformed
 * @param squaredError the sum over all right heads of ||O^ V^ - O V||^2, paper Eq. (5)
 * @param squaredNorm the sum of ||O V||^2
 * @param relativeErrors PQE relative to ||O V||_F after each half step, in order; for independent rounding only that one
 * @param outputShare the mean of both factors' squared relative output errors, each with the other factor as it was: that of V
 *     = tr((o^T o) x H of its error) by that of V itself, that of O = tr(E H E^T) / tr(O H O^T); empty without statistics
 */
public record RoundedPair(
    List<BlockTransform> left,
    List<BlockTransform> right,
    InputMetric leftMetric,
    InputMetric rightMetric,
    RoundingRule rounding,
    double squaredError,
    double squaredNorm,
    List<Double> relativeErrors,
    OptionalDouble outputShare) {
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

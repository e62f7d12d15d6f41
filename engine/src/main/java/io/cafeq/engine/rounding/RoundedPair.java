package io.cafeq.engine.rounding;

import io.cafeq.engine.transform.BlockTransform;
import io.cafeq.engine.transform.FoldedBiases;
import java.util.List;
import java.util.OptionalDouble;

/**
 * The best rounding of a pair that was found, as the blocks that make it again: rounding the
 * original slabs with them, by the same encoder, grids and slabs and in the same metrics, gives the
 * codes that the errors belong to. Nothing of the blocks is stored. The metrics are borrowed from
 * what the pair was rounded with.
 *
 * @param left one block a left head, channels in order, for {@link SlabTransforms.Blocks} on the
 *     left factor's side
 * @param right the same for the right factor
 * @param leftMetric of the left factor's columns
 * @param rightMetric of the right factor's columns, as transformed
 * @param squaredError the sum over all right heads of ||O^ V^ - O V||^2, paper Eq. (5)
 * @param squaredNorm the sum of ||O V||^2
 * @param relativeErrors PQE relative to ||O V||_F after each half step, in order; for independent
 *     rounding only that one
 * @param biasError of folded biases in the worst head, see {@link FoldedBiases#error}; 0 without
 *     biases
 * @param outputShare the mean of both factors' squared relative output errors, each with the other
 *     factor as it was: that of V = tr((o^T o) x H of its error) by that of V itself, that of O =
 *     tr(E H E^T) / tr(O H O^T); empty without statistics
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
    double biasError,
    OptionalDouble outputShare) {
  public RoundedPair {
    left = List.copyOf(left);
    right = List.copyOf(right);
    relativeErrors = List.copyOf(relativeErrors);
  }

  /**
   * Whether what a bias adds comes out as something else, which the error of the product does not
   * tell.
   */
  public boolean losesBias() {
    return biasError > FoldedBiases.most(relativeError());
  }

  /** PQE relative to ||O V||_F; for a product of zeros 0, or 1 where it became something else. */
  public double relativeError() {
    return relative(squaredError, squaredNorm);
  }

  static double relative(double squaredError, double squaredNorm) {
    if (squaredNorm > 0) {
      return Math.sqrt(squaredError / squaredNorm);
    }
    return squaredError > 0 ? 1 : 0;
  }
}

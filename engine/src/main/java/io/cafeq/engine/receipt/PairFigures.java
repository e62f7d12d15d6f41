package io.cafeq.engine.receipt;

import org.jspecify.annotations.Nullable;

/**
 * Errors of one pair. Each is a relative paired quantization error (PQE, Eq. (5) of the paper): the
 * norm of the difference of the products O V over all heads, divided by the norm of the original
 * products.
 *
 * <p>In sums over tensors a pair counts as its PQE / sqrt(2) on the weights of both, the relative
 * error of either factor that alone would give a product of that error.
 *
 * @param left name of the value or key matrix
 * @param right name of the output or query matrix
 * @param weights of both factors
 * @param squaredNorm sum of squares of both factors' weights
 * @param result what was written
 * @param plain both factors by RTN on min/max grids, same bits and group sizes; null where not
 *     asked for
 * @param plainClipped both factors by clipped RTN; null where not asked for
 * @param plainEqualBits the best clipped RTN of both that takes no more bits; null where not asked
 *     for
 * @param rotation a random rotation in place of the learned transform, rounded like plainClipped;
 *     null where not asked for
 * @param learned the learned transform, rounded without adaptation; null where not asked for, or
 *     nothing was learned
 */
public record PairFigures(
    String left,
    String right,
    long weights,
    double squaredNorm,
    double result,
    @Nullable Double plain,
    @Nullable Double plainClipped,
    @Nullable Double plainEqualBits,
    @Nullable Double rotation,
    @Nullable Double learned) {

  /** Weight of a squared PQE in sums of squared weight errors. */
  public double squaredError(double relative) {
    return relative * relative / 2 * squaredNorm;
  }
}

package io.cafeq.engine.report;

import io.cafeq.engine.receipt.PairFigures;
import org.jspecify.annotations.Nullable;

/**
 * One pair in the report. Every error is a relative paired quantization error (Eq. (5) of the
 * paper): the norm of the difference of the products over that of the original products.
 *
 * @param left name of the value or key matrix
 * @param right name of the output or query matrix
 * @param weights of both
 * @param result what was written
 * @param none both by clipped RTN, same bits and group sizes; null where not measured, like all
 *     below
 * @param plain the same on min/max grids
 * @param plainEqualBits the best clipped RTN of both that takes no more bits
 * @param rotation a random rotation in place of the learned transform
 * @param learned the learned transform without adaptation of one factor to the other
 */
public record PairEntry(
    String left,
    String right,
    long weights,
    double result,
    @Nullable Double none,
    @Nullable Double plain,
    @Nullable Double plainEqualBits,
    @Nullable Double rotation,
    @Nullable Double learned) {
  public PairEntry {
    Figures.requireFinite("result", result);
    Figures.requireFiniteIfThere("none", none);
    Figures.requireFiniteIfThere("plain", plain);
    Figures.requireFiniteIfThere("plain_equal_bits", plainEqualBits);
    Figures.requireFiniteIfThere("rotation", rotation);
    Figures.requireFiniteIfThere("learned", learned);
  }

  static PairEntry of(PairFigures pair) {
    return new PairEntry(
        pair.left(),
        pair.right(),
        pair.weights(),
        pair.result(),
        pair.plainClipped(),
        pair.plain(),
        pair.plainEqualBits(),
        pair.rotation(),
        pair.learned());
  }
}

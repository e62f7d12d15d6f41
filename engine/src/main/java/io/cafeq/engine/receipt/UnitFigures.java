package io.cafeq.engine.receipt;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Figures of one quantized unit, measured by the code that did the work. The unit's file keeps them
 * for a resume.
 *
 * @param weights number of weights
 * @param squaredNorm sum of squares of the original weights
 * @param outputNorm mean square of the original outputs, summed over the rows; null where there
 *     were no statistics for all rows
 * @param result what was written
 * @param plain round-to-nearest (RTN) on min/max grids, same bits and group size; null where not
 *     asked for
 * @param plainClipped RTN with the MSE clipping search; null where not asked for
 * @param plainEqualBits the best clipped RTN at any group size whose total bits are no more than
 *     the transform would take; null where not asked for
 * @param fellBack whether {@code plainEqualBits} was written instead of the transformed codes, in
 *     all parts of the unit
 * @param pairs the coupled matrices among its tensors; in the sums each counts as {@link
 *     PairFigures} says
 * @param description how the unit is stored, for people: {@code input k=64 group 64 symmetric}
 */
public record UnitFigures(
    long weights,
    double squaredNorm,
    @Nullable Double outputNorm,
    ErrorFigures result,
    @Nullable ErrorFigures plain,
    @Nullable ErrorFigures plainClipped,
    @Nullable ErrorFigures plainEqualBits,
    boolean fellBack,
    List<PairFigures> pairs,
    String description) {
  public UnitFigures {
    pairs = List.copyOf(pairs);
  }

  /** Figures of a unit without statistics. */
  public UnitFigures(
      long weights,
      double squaredNorm,
      ErrorFigures result,
      @Nullable ErrorFigures plain,
      @Nullable ErrorFigures plainClipped,
      @Nullable ErrorFigures plainEqualBits,
      boolean fellBack,
      List<PairFigures> pairs,
      String description) {
    this(
        weights,
        squaredNorm,
        null,
        result,
        plain,
        plainClipped,
        plainEqualBits,
        fellBack,
        pairs,
        description);
  }

  /** Figures of a unit without pairs and statistics. */
  public UnitFigures(
      long weights,
      double squaredNorm,
      ErrorFigures result,
      @Nullable ErrorFigures plain,
      @Nullable ErrorFigures plainClipped,
      @Nullable ErrorFigures plainEqualBits,
      boolean fellBack,
      String description) {
    this(
        weights,
        squaredNorm,
        result,
        plain,
        plainClipped,
        plainEqualBits,
        fellBack,
        List.of(),
        description);
  }
}

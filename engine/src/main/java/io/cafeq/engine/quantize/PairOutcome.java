package io.cafeq.engine.quantize;

import io.cafeq.config.PairRounding;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.plan.PairTreatment;
import io.cafeq.engine.plan.PairTreatment.Basis;
import io.cafeq.engine.plan.Part;
import io.cafeq.engine.receipt.ErrorFigures;
import io.cafeq.engine.receipt.PairFigures;
import io.cafeq.engine.rounding.PairInputs;
import io.cafeq.engine.rounding.PairOriginals;
import io.cafeq.engine.rounding.RoundedPair;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import org.jspecify.annotations.Nullable;

/**
 * What became of a pair, beside plain rounding of both factors. Plain rounding takes its place
 * where it has no larger error: of the product, or of the outputs where the inputs are known.
 * Borrows everything.
 */
final class PairOutcome {
  private final Workplace place;
  private final Part.Pair pair;
  private final PairTreatment treatment;
  private final PairTransforms transforms;
  private final PairRounders rounders;
  private final Optional<PairInputs> inputs;
  private final PairOriginals originals;

  /** Of the weights as they are stored in the source. */
  private final double outputNorm;

  PairOutcome(
      Workplace place,
      Part.Pair pair,
      PairTransforms transforms,
      PairRounders rounders,
      Optional<PairInputs> inputs,
      PairOriginals originals) {
    this.place = place;
    this.pair = pair;
    treatment = pair.treatment();
    this.transforms = transforms;
    this.rounders = rounders;
    this.inputs = inputs;
    this.originals = originals;
    outputNorm = Math.scalb(originals.rightOutputs(), 2 * rounders.shape().scales().right());
  }

  /**
   * Some rounding of both factors.
   *
   * @param relative its PQE
   * @param output share of the outputs' mean square that is error; empty without statistics
   */
  private record Measured(GridSpec left, GridSpec right, double relative, OptionalDouble output) {}

  /**
   * @param ms as they were rounded with
   */
  PartWork.Outcome of(List<double[]> ms, RoundedPair rounded, PairSlabs.Written written) {
    GridSpec left = treatment.left();
    GridSpec right = treatment.right();
    Measured result =
        new Measured(
            left,
            right,
            written.relativeError().orElse(rounded.relativeError()),
            written.outputShare().isPresent() ? written.outputShare() : rounded.outputShare());
    @Nullable Measured plain = null;
    @Nullable Measured clipped = null;
    @Nullable Measured equal = null;
    @Nullable Double rotation = null;
    @Nullable Double learned = null;
    List<double[]> identities = transforms.unchanged();
    GridSpec equalLeft = equalBits(left, written.leftPlain());
    GridSpec equalRight = equalBits(right, written.rightPlain());
    if (place.baselines() || treatment.fallBack()) {
      equal = independent(identities, equalLeft, equalRight);
    }
    if (place.baselines()) {
      plain =
          independent(
              identities, PlainGrids.sameGroup(left, false), PlainGrids.sameGroup(right, false));
      GridSpec clippedLeft = PlainGrids.sameGroup(left, true);
      GridSpec clippedRight = PlainGrids.sameGroup(right, true);
      clipped =
          equal != null && clippedLeft.equals(equalLeft) && clippedRight.equals(equalRight)
              ? equal
              : independent(identities, clippedLeft, clippedRight);
      rotation = independent(transforms.rotations(), left, right).relative();
      learned =
          treatment.basis() == Basis.LEARNED
              ? (Double) independent(ms, left, right).relative()
              : null;
    }
    PairFigures figures =
        new PairFigures(
            pair.left().name(),
            pair.right().name(),
            pair.weights(),
            written.squaredNorm(),
            result.relative(),
            relative(plain),
            relative(clipped),
            relative(equal),
            rotation,
            learned);
    Optional<Part> fallBack =
        treatment.fallBack() && treatment.basis() != Basis.UNCHANGED && equal != null
            ? better(equal, result, rounded.losesBias(), identities)
                .map(rounding -> plain(equalLeft, equalRight, rounding))
            : Optional.empty();
    return new PartWork.Outcome(
        pair.weights(),
        written.squaredNorm(),
        inputs.isPresent() ? (Double) outputNorm : null,
        figures(figures, result, pair.bits() + written.exponentBits()),
        figures(figures, plain),
        figures(figures, clipped),
        figures(figures, equal),
        figures,
        fallBack);
  }

  private Part plain(GridSpec left, GridSpec right, PairRounding rounding) {
    return new Part.Pair(
        pair.coupling(),
        pair.left(),
        pair.leftBias(),
        pair.right(),
        pair.rightBias(),
        new PairTreatment(
            left,
            right,
            treatment.settings().with(rounding),
            Basis.UNCHANGED,
            treatment.reverseStorage(),
            treatment.seed(),
            false));
  }

  /**
   * How plain rounding is to take the place of the result, where it comes out as well: as it would
   * be written, which with statistics is in their metrics, or to the nearest where that is better.
   * It does so also where the transform loses what a bias adds, which no error of the product
   * tells.
   */
  private Optional<PairRounding> better(
      Measured equal, Measured result, boolean losesBias, List<double[]> identities) {
    PairRounding asked = treatment.settings().rounding();
    if (result.output().isEmpty()) {
      return losesBias || equal.relative() <= result.relative()
          ? Optional.of(asked)
          : Optional.empty();
    }
    double nearest = equal.output().orElseThrow();
    double least = nearest;
    if (asked == PairRounding.NEAREST_PLANE) {
      try (Arena arena = Arena.ofConfined()) {
        least =
            rounders
                .on(equal.left(), equal.right(), inputs.map(known -> known.in(arena)))
                .round(originals, identities, PairRounding.NEAREST_PLANE, 1)
                .outputShare()
                .orElseThrow();
      }
    }
    boolean isNearest = nearest < StackBaselines.CLEARLY_BELOW * least;
    return losesBias || (isNearest ? nearest : least) <= result.output().orElseThrow()
        ? Optional.of(isNearest ? PairRounding.NEAREST : asked)
        : Optional.empty();
  }

  /** Both factors by themselves, on grids that no input has a say in. */
  private Measured independent(List<double[]> ms, GridSpec left, GridSpec right) {
    RoundedPair rounded =
        rounders.on(left, right, inputs).round(originals, ms, PairRounding.NEAREST, 1);
    return new Measured(left, right, rounded.relativeError(), rounded.outputShare());
  }

  /**
   * Of the plain grids that take no more bits than the pair's, the one with the least error of its
   * own factor.
   */
  private static GridSpec equalBits(GridSpec grid, PairSlabs.PlainErrors errors) {
    return errors.least().orElseGet(() -> PlainGrids.sameGroup(grid, true));
  }

  private static @Nullable Double relative(@Nullable Measured measured) {
    return measured == null ? null : (Double) measured.relative();
  }

  private @Nullable ErrorFigures figures(PairFigures figures, @Nullable Measured measured) {
    return measured == null
        ? null
        : figures(figures, measured, pair.bits(measured.left(), measured.right()));
  }

  private ErrorFigures figures(PairFigures figures, Measured measured, long bits) {
    OptionalDouble share = measured.output();
    return new ErrorFigures(
        figures.squaredError(measured.relative()),
        share.isPresent() ? (Double) (share.getAsDouble() * outputNorm) : null,
        bits);
  }
}

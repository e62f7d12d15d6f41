package io.cafeq.engine.quantize;

import io.cafeq.config.Rounding;
import io.cafeq.engine.grid.EncodedSlab;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.plan.Part;
import io.cafeq.engine.plan.Treatment;
import io.cafeq.engine.receipt.ErrorFigures;
import io.cafeq.engine.rounding.RoundingErrors;
import io.cafeq.engine.rounding.RoundingRule;
import io.cafeq.engine.rounding.SlabEncoder;
import io.cafeq.engine.transform.TransformSpec;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * What rounding without a transform would do to a stack, measured slab by slab beside the result,
 * and whether it is better. Where the inputs are known that is asked of the errors of the outputs,
 * and of plain rounding in their metric, which is what would be written, or to the nearest where
 * that is better, as it can be beside huge outliers: on all slabs of a small stack, else on every
 * fourth of each range of rows from its first on, since matrices of a stack may be unlike; on the
 * same ones of the result. Without, of all squared errors.
 */
final class StackBaselines {
  private static final int COMPARED_SLABS = 4;

  /** Less may be a matter of the order in which sums were made. */
  static final double CLEARLY_BELOW = 0.999;

  /** Stacks of no more are compared as a whole. */
  private static final int FEW_SLABS = 8;

  private final Part.Stack stack;
  private final Treatment treatment;
  private final boolean reported;
  private final SlabEncoder encoder;
  private final List<GridSpec> equalBits;

  /** Those that leave room for the column scales. */
  private final List<GridSpec> scaledBits;

  private final List<Baseline> baselines;
  private final boolean comparesAll;
  private RoundingErrors result = new RoundingErrors(0, 0);
  private RoundingErrors comparedResult = new RoundingErrors(0, 0);
  private double squaredNorm;
  private long exponentBits;
  private double outputNorm;
  private boolean everywhereKnown = true;
  private boolean somewhereKnown;

  /**
   * @param reported whether plain rounding is measured also where the result does not need it
   */
  StackBaselines(Part.Stack stack, boolean reported, SlabEncoder encoder) {
    this.stack = stack;
    this.reported = reported;
    this.encoder = encoder;
    treatment = stack.treatment();
    equalBits =
        PlainGrids.within(treatment.grid(), stack.totalRows(), stack.columns(), stack.bits());
    scaledBits =
        isScaled()
            ? PlainGrids.within(
                treatment.grid(),
                stack.totalRows(),
                stack.columns(),
                stack.bits() - stack.columnScaleBits())
            : equalBits;
    baselines = measured().stream().map(Baseline::new).toList();
    comparesAll = stack.rows().stream().mapToLong(this::slabs).sum() <= FEW_SLABS;
  }

  private long slabs(Part.RowRange range) {
    return Math.ceilDiv(
        range.count(), SlabShape.rows(treatment.transform(), stack.columns(), range.count()));
  }

  /**
   * Errors of a plain grid: by nearest rounding on all slabs, and as it would be written on those
   * that are compared, with the column scales and without.
   */
  private static final class Baseline {
    private final GridSpec grid;
    private RoundingErrors plain = new RoundingErrors(0, 0);
    private RoundingErrors compared = new RoundingErrors(0, 0);
    private RoundingErrors comparedUnscaled = new RoundingErrors(0, 0);
    private RoundingErrors comparedNearest = new RoundingErrors(0, 0);

    private Baseline(GridSpec grid) {
      this.grid = grid;
    }
  }

  /**
   * One slab as it was rounded.
   *
   * @param number of the slab among those of its range of rows, from 0
   * @param weights as they were read
   * @param scaled the same times the column scales
   */
  record Slab(
      int number,
      FloatMatrix weights,
      FloatMatrix scaled,
      StackMetrics.Metrics metrics,
      RoundingRule rule) {
    private boolean isKnown() {
      return !metrics.ofWeights().isNone();
    }
  }

  private List<GridSpec> measured() {
    List<GridSpec> measured = new ArrayList<>();
    if (reported) {
      measured.add(PlainGrids.sameGroup(treatment.grid(), false));
      measured.add(PlainGrids.sameGroup(treatment.grid(), true));
    }
    if (reported || treatment.fallBack()) {
      Stream.concat(equalBits.stream(), scaledBits.stream())
          .distinct()
          .filter(grid -> !measured.contains(grid))
          .forEach(measured::add);
    }
    if (!treatment.fallBack() && isScaled() && isPlain() && !measured.contains(treatment.grid())) {
      measured.add(treatment.grid());
    }
    return measured;
  }

  /**
   * Measures plain rounding on a slab, beside what was written of it.
   *
   * @param rounded as it was rounded, with the errors of the scaled columns: only those of the
   *     outputs are the weights' own
   */
  void compare(Slab slab, EncodedSlab rounded) {
    boolean known = slab.isKnown();
    everywhereKnown &= known;
    somewhereKnown |= known;
    boolean compared = !known || comparesAll || slab.number() % COMPARED_SLABS == 0;
    RoundingErrors errors = new RoundingErrors(rounded.squaredError(), rounded.outputError());
    if (compared) {
      comparedResult = comparedResult.plus(errors);
    }
    for (Baseline baseline : baselines) {
      boolean candidate = compared && isCandidate(baseline);
      RoundingErrors plain = new RoundingErrors(0, 0);
      if (reported || !known || candidate) {
        plain = encoder.plainError(slab.weights(), baseline.grid, slab.metrics().ofWeights());
      }
      if (reported || !known) {
        baseline.plain = baseline.plain.plus(plain);
      }
      if (candidate) {
        baseline.comparedNearest = baseline.comparedNearest.plus(plain);
      }
      if (compared && isWritten(baseline)) {
        baseline.compared =
            baseline.compared.plus(
                !known
                    ? plain
                    : isResult(baseline.grid)
                        ? errors
                        : encoder.metricError(
                            slab.scaled(), baseline.grid, slab.metrics().ofScaled(), slab.rule()));
      }
      if (candidate && isScaled() && known) {
        baseline.comparedUnscaled =
            baseline.comparedUnscaled.plus(
                encoder.metricError(
                    slab.weights(), baseline.grid, slab.metrics().ofWeights(), slab.rule()));
      }
    }
  }

  /** Adds a slab to the result. */
  void add(EncodedSlab encoded) {
    result = result.plus(new RoundingErrors(encoded.squaredError(), encoded.outputError()));
    squaredNorm += encoded.squaredNorm();
    exponentBits += encoded.exponentBits();
    outputNorm += encoded.outputNorm();
  }

  private boolean isScaled() {
    return treatment.columnScales();
  }

  /**
   * Whether a grid may take the stack's place without column scales. Without a fallback to other
   * grids that is its own.
   */
  private boolean isCandidate(Baseline baseline) {
    return treatment.fallBack()
        ? equalBits.contains(baseline.grid)
        : isScaled() && isPlain() && baseline.grid.equals(treatment.grid());
  }

  /** The same with the stack's column scales, where it has them. */
  private boolean isWritten(Baseline baseline) {
    return treatment.fallBack() && scaledBits.contains(baseline.grid);
  }

  /**
   * Whether the stack itself is rounded without a transform, each weight to a level that its
   * neighbours choose alone.
   */
  private boolean isPlain() {
    return treatment.transform() instanceof TransformSpec.None
        && treatment.rounding() != Rounding.STOCHASTIC;
  }

  private boolean isResult(GridSpec grid) {
    return isPlain() && grid.equals(treatment.grid());
  }

  PartWork.Outcome outcome() {
    ErrorFigures written = figures(result, stack.bits() + exponentBits);
    return new PartWork.Outcome(
        stack.weights(),
        squaredNorm,
        everywhereKnown ? (Double) outputNorm : null,
        written,
        plain(PlainGrids.sameGroup(treatment.grid(), false), written),
        plain(PlainGrids.sameGroup(treatment.grid(), true), written),
        plainEqualBits().orElse(null),
        null,
        fallBack());
  }

  private Optional<ErrorFigures> plainEqualBits() {
    return best(baseline -> equalBits.contains(baseline.grid), baseline -> baseline.plain)
        .filter(baseline -> reported || !somewhereKnown)
        .map(this::figures);
  }

  /** What is better than the result and no larger, as it would be written. */
  private Optional<Part> fallBack() {
    Optional<Baseline> usual =
        best(this::isWritten, baseline -> baseline.compared)
            .filter(baseline -> decisive(baseline.compared) <= decisive(comparedResult));
    Optional<Part> part =
        usual
            .filter(baseline -> !isResult(baseline.grid))
            .map(baseline -> plain(baseline.grid, isScaled(), treatment.rounding()));
    double scaled = decisive(usual.map(baseline -> baseline.compared).orElse(comparedResult));
    Optional<Baseline> unscaled =
        best(
                baseline -> isScaled() && everywhereKnown && isCandidate(baseline),
                baseline -> baseline.comparedUnscaled)
            .filter(baseline -> decisive(baseline.comparedUnscaled) < scaled);
    if (unscaled.isPresent()) {
      part = unscaled.map(baseline -> plain(baseline.grid, false, treatment.rounding()));
    }
    double corrected = unscaled.map(baseline -> decisive(baseline.comparedUnscaled)).orElse(scaled);
    Optional<Baseline> nearest =
        best(
                baseline -> treatment.fallBack() && somewhereKnown && isCandidate(baseline),
                baseline -> baseline.comparedNearest)
            .filter(baseline -> isClearlyBelow(decisive(baseline.comparedNearest), corrected));
    if (nearest.isPresent()) {
      part = nearest.map(baseline -> plain(baseline.grid, false, Rounding.NEAREST));
    }
    return part;
  }

  /**
   * Nearest plane beats nearest rounding by far; where outliers leave it nothing to correct, the
   * sums that tell differ.
   */
  private static boolean isClearlyBelow(double error, double other) {
    return error < CLEARLY_BELOW * other;
  }

  private Part plain(GridSpec grid, boolean scaled, Rounding rounding) {
    return new Part.Stack(
        stack.rows(),
        new Treatment(
            grid,
            new TransformSpec.None(),
            scaled,
            treatment.loss(),
            rounding,
            treatment.steps(),
            treatment.seed(),
            false));
  }

  private Optional<Baseline> best(
      Predicate<Baseline> among, Function<Baseline, RoundingErrors> errors) {
    return baselines.stream()
        .filter(among)
        .min(Comparator.comparingDouble(baseline -> decisive(errors.apply(baseline))));
  }

  /** Outputs that are 0 whatever the weights decide nothing. */
  private double decisive(RoundingErrors errors) {
    return everywhereKnown && outputNorm > 0 ? errors.output() : errors.squared();
  }

  private @Nullable ErrorFigures plain(GridSpec grid, ErrorFigures written) {
    return baselines.stream()
        .filter(baseline -> reported && baseline.grid.equals(grid))
        .findFirst()
        .map(this::figures)
        .orElse(isResult(grid) && !somewhereKnown ? written : null);
  }

  private ErrorFigures figures(Baseline baseline) {
    return figures(baseline.plain, stack.totalRows() * baseline.grid.bitsPerRow(stack.columns()));
  }

  private ErrorFigures figures(RoundingErrors errors, long bits) {
    return new ErrorFigures(
        errors.squared(), everywhereKnown ? (Double) errors.output() : null, bits);
  }
}

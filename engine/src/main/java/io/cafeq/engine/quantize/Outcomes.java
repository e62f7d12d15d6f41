package io.cafeq.engine.quantize;

import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.plan.UnitEstimate;
import io.cafeq.engine.quantize.PartWork.Outcome;
import io.cafeq.engine.receipt.ErrorFigures;
import io.cafeq.engine.receipt.PairFigures;
import io.cafeq.engine.receipt.UnitFigures;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** Figures of a unit out of those of its parts. */
final class Outcomes {
  private Outcomes() {}

  /**
   * @param unit as it was written
   */
  static UnitFigures figures(Unit.Quantized unit, List<Outcome> outcomes) {
    return new UnitFigures(
        outcomes.stream().mapToLong(Outcome::weights).sum(),
        outcomes.stream().mapToDouble(Outcome::squaredNorm).sum(),
        outputNorm(outcomes),
        Objects.requireNonNull(sum(outcomes, Outcome::result)),
        sum(outcomes, Outcome::plain),
        sum(outcomes, Outcome::plainClipped),
        sum(outcomes, Outcome::plainEqualBits),
        outcomes.stream().allMatch(outcome -> outcome.fallBack().isPresent()),
        outcomes.stream().map(Outcome::pair).filter(Objects::nonNull).toList(),
        UnitEstimate.describe(unit));
  }

  /** Null unless there were statistics for all parts. */
  private static @Nullable Double outputNorm(List<Outcome> outcomes) {
    double sum = 0;
    for (Outcome outcome : outcomes) {
      Double norm = outcome.outputNorm();
      if (norm == null) {
        return null;
      }
      sum += norm;
    }
    return sum;
  }

  /** Null unless all parts have it. */
  private static @Nullable ErrorFigures sum(
      List<Outcome> outcomes, Function<Outcome, @Nullable ErrorFigures> kind) {
    double squaredError = 0;
    long bits = 0;
    for (Outcome outcome : outcomes) {
      ErrorFigures figures = kind.apply(outcome);
      if (figures == null) {
        return null;
      }
      squaredError += figures.squaredError();
      bits += figures.bits();
    }
    return new ErrorFigures(squaredError, outputError(outcomes, kind), bits);
  }

  /**
   * Outputs of different parts may differ in size a thousandfold, so relative errors are what is
   * added up, as over units: those of the parts by their weights, times the norm of all. Null
   * unless all parts have one.
   */
  private static @Nullable Double outputError(
      List<Outcome> outcomes, Function<Outcome, @Nullable ErrorFigures> kind) {
    if (outcomes.size() == 1) {
      return Objects.requireNonNull(kind.apply(outcomes.getFirst())).outputError();
    }
    double relative = 0;
    double weights = 0;
    double norms = 0;
    for (Outcome outcome : outcomes) {
      Double norm = outcome.outputNorm();
      Double error = Objects.requireNonNull(kind.apply(outcome)).outputError();
      if (norm == null || error == null) {
        return null;
      }
      relative += norm > 0 ? outcome.weights() * (error / norm) : 0;
      weights += outcome.weights();
      norms += norm;
    }
    return relative / weights * norms;
  }

  /**
   * What is known of a part that fell back: its baselines from before, its result from now. Without
   * statistics that result is the best of the baselines; in the metric of the inputs it is better
   * than nearest rounding on the same grid.
   */
  static Outcome replaced(Outcome before, Outcome now) {
    PairFigures pair = before.pair();
    return new Outcome(
        now.weights(),
        now.squaredNorm(),
        now.outputNorm(),
        now.result(),
        before.plain(),
        before.plainClipped(),
        now.outputNorm() == null ? now.result() : before.plainEqualBits(),
        pair == null
            ? null
            : new PairFigures(
                pair.left(),
                pair.right(),
                pair.weights(),
                pair.squaredNorm(),
                Objects.requireNonNull(now.pair()).result(),
                pair.plain(),
                pair.plainClipped(),
                now.outputNorm() == null
                    ? (Double) Objects.requireNonNull(now.pair()).result()
                    : pair.plainEqualBits(),
                pair.rotation(),
                pair.learned()),
        Optional.of(before.fallBack().orElseThrow()));
  }
}

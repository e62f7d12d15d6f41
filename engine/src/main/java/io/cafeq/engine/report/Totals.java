package io.cafeq.engine.report;

import com.fasterxml.jackson.annotation.JsonInclude;
import io.cafeq.engine.plan.PlannedTensor;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.receipt.ErrorFigures;
import io.cafeq.engine.receipt.PairFigures;
import io.cafeq.engine.receipt.UnitFigures;
import io.cafeq.engine.receipt.UnitReceipt;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Totals over the finished units. Failed and missing units do not count.
 *
 * @param weights quantized weights
 * @param bitsPerWeight codes, scales, zero points and transforms of quantized weights
 * @param modelBitsPerWeight the same over all tensors, copied ones at their own size
 * @param modelBytes what {@code modelBitsPerWeight} was made from, rounded up
 * @param relativeError root of the summed squared errors over the summed squares of the original
 *     quantized weights
 * @param relativeOutputError root of the mean over weights of their units' squared relative output
 *     errors, over the units that have one; null if none has
 * @param plain over the units that have this baseline; null if none has, like the two below
 * @param pairs errors of the products of coupled matrices; null where there are none
 * @param seconds wall time of the run that wrote the report
 * @param peakMemoryBytes highest sample of that run
 */
public record Totals(
    long weights,
    double bitsPerWeight,
    double modelBitsPerWeight,
    long modelBytes,
    double relativeError,
    @JsonInclude(JsonInclude.Include.NON_NULL) @Nullable Double relativeOutputError,
    @Nullable PlainFigures plain,
    @Nullable PlainFigures plainClipped,
    @Nullable PlainFigures plainEqualBits,
    @Nullable PairTotals pairs,
    double seconds,
    long bytesRead,
    long bytesWritten,
    long peakMemoryBytes) {
  public Totals {
    Figures.requireFinite("bits_per_weight", bitsPerWeight);
    Figures.requireFinite("model_bits_per_weight", modelBitsPerWeight);
    Figures.requireFinite("relative_error", relativeError);
    Figures.requireFiniteIfThere("relative_output_error", relativeOutputError);
    Figures.requireFinite("seconds", seconds);
  }

  /** Adds up results in their order, which is that of the plan. */
  public static Totals of(List<UnitResult> results, Measurements measured) {
    long copiedBits = 0;
    long copiedWeights = 0;
    Sum result = new Sum();
    Sum plain = new Sum();
    Sum plainClipped = new Sum();
    Sum plainEqualBits = new Sum();
    List<PairFigures> pairs = new ArrayList<>();
    for (UnitResult unit : results) {
      UnitReceipt receipt = unit.receipt();
      if (receipt == null) {
        continue;
      }
      UnitFigures figures = receipt.figures();
      if (figures == null) {
        copiedBits += 8 * tensorBytes(unit.unit());
        copiedWeights += unit.unit().weights();
      } else {
        result.add(figures, UnitFigures::result);
        plain.add(figures, UnitFigures::plain);
        plainClipped.add(figures, UnitFigures::plainClipped);
        plainEqualBits.add(figures, UnitFigures::plainEqualBits);
        pairs.addAll(figures.pairs());
      }
    }
    long modelBits = result.bits + copiedBits;
    return new Totals(
        result.weights,
        Figures.perWeight(result.bits, result.weights),
        Figures.perWeight(modelBits, result.weights + copiedWeights),
        Math.ceilDiv(modelBits, 8L),
        result.relativeError(),
        result.relativeOutputError(),
        plain.figures(),
        plainClipped.figures(),
        plainEqualBits.figures(),
        PairTotals.of(pairs),
        measured.seconds(),
        measured.bytesRead(),
        measured.bytesWritten(),
        measured.peakMemoryBytes());
  }

  private static long tensorBytes(Unit unit) {
    return unit.tensors().stream().map(PlannedTensor::info).mapToLong(info -> info.bytes()).sum();
  }

  /** Errors and norms of one kind of rounding, over the units that have it. */
  private static final class Sum {
    private long weights;
    private long bits;
    private double squaredError;
    private double squaredNorm;
    private double outputErrors;
    private long weightsWithOutput;

    void add(UnitFigures unit, Function<UnitFigures, @Nullable ErrorFigures> kind) {
      ErrorFigures figures = kind.apply(unit);
      if (figures != null) {
        weights += unit.weights();
        bits += figures.bits();
        squaredError += figures.squaredError();
        squaredNorm += unit.squaredNorm();
        Double output = figures.relativeOutputError(unit.outputNorm());
        if (output != null) {
          outputErrors += unit.weights() * output * output;
          weightsWithOutput += unit.weights();
        }
      }
    }

    double relativeError() {
      return new ErrorFigures(squaredError, bits).relativeError(squaredNorm);
    }

    /** Outputs of different matrices have no common scale, so each unit counts by its weights. */
    @Nullable Double relativeOutputError() {
      return weightsWithOutput == 0 ? null : (Double) Math.sqrt(outputErrors / weightsWithOutput);
    }

    @Nullable PlainFigures figures() {
      return weights == 0
          ? null
          : new PlainFigures(
              relativeError(), relativeOutputError(), Figures.perWeight(bits, weights));
    }
  }
}

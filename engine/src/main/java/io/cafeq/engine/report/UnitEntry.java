package io.cafeq.engine.report;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonSetter;
import com.fasterxml.jackson.annotation.Nulls;
import io.cafeq.engine.plan.PlannedTensor;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.receipt.UnitFigures;
import io.cafeq.engine.receipt.UnitReceipt;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One unit's line in the report.
 *
 * @param quantized false for a unit whose tensors keep their bytes
 * @param seconds time that the worker took; 0 where the unit was kept from an earlier run
 * @param bytes length of the unit's file; 0 where there is none
 * @param kernel the backend and CPU kernel that made it; null where there is no file
 * @param description how the unit is stored, for people; null for copied and missing units
 * @param relativeError null for copied and missing units, like all the figures below
 * @param relativeOutputError root of the mean squared error of the outputs over their mean square,
 *     by the statistics of the inputs; left out of the JSON where there were none
 * @param pairs the coupled matrices among its tensors; reports of format 1 have none
 * @param error why the unit failed; left out of the JSON where it did not
 */
public record UnitEntry(
    String id,
    List<String> tensors,
    UnitStatus status,
    boolean quantized,
    boolean fellBack,
    double seconds,
    long weights,
    long bytes,
    @Nullable String kernel,
    @Nullable String description,
    @Nullable Double relativeError,
    @JsonInclude(JsonInclude.Include.NON_NULL) @Nullable Double relativeOutputError,
    @Nullable Double bitsPerWeight,
    @Nullable PlainFigures plain,
    @Nullable PlainFigures plainClipped,
    @Nullable PlainFigures plainEqualBits,
    @JsonSetter(nulls = Nulls.AS_EMPTY) List<PairEntry> pairs,
    @JsonInclude(JsonInclude.Include.NON_NULL) @Nullable UnitFailure error) {
  public UnitEntry {
    tensors = List.copyOf(tensors);
    pairs = List.copyOf(pairs);
    Figures.requireFinite("seconds", seconds);
    Figures.requireFiniteIfThere("relative_error", relativeError);
    Figures.requireFiniteIfThere("relative_output_error", relativeOutputError);
    Figures.requireFiniteIfThere("bits_per_weight", bitsPerWeight);
  }

  public static UnitEntry of(UnitResult result) {
    return switch (result) {
      case UnitResult.Done(Unit unit, UnitReceipt receipt) ->
          present(unit, receipt, UnitStatus.DONE);
      case UnitResult.Kept(Unit unit, UnitReceipt receipt) ->
          present(unit, receipt, UnitStatus.KEPT);
      case UnitResult.Failed(Unit unit, UnitFailure failure) ->
          absent(unit, UnitStatus.FAILED, failure);
      case UnitResult.Missing(Unit unit) -> absent(unit, UnitStatus.MISSING, null);
    };
  }

  private static UnitEntry present(Unit unit, UnitReceipt receipt, UnitStatus status) {
    UnitFigures figures = receipt.figures();
    if (figures == null) {
      return new UnitEntry(
          unit.id(),
          names(unit),
          status,
          false,
          false,
          receipt.seconds(),
          unit.weights(),
          receipt.bytes(),
          receipt.kernel(),
          null,
          null,
          null,
          null,
          null,
          null,
          null,
          List.of(),
          null);
    }
    long weights = figures.weights();
    return new UnitEntry(
        unit.id(),
        names(unit),
        status,
        true,
        figures.fellBack(),
        receipt.seconds(),
        weights,
        receipt.bytes(),
        receipt.kernel(),
        figures.description(),
        figures.result().relativeError(figures.squaredNorm()),
        figures.result().relativeOutputError(figures.outputNorm()),
        Figures.perWeight(figures.result().bits(), weights),
        PlainFigures.of(figures.plain(), figures),
        PlainFigures.of(figures.plainClipped(), figures),
        PlainFigures.of(figures.plainEqualBits(), figures),
        figures.pairs().stream().map(PairEntry::of).toList(),
        null);
  }

  private static UnitEntry absent(Unit unit, UnitStatus status, @Nullable UnitFailure failure) {
    return new UnitEntry(
        unit.id(),
        names(unit),
        status,
        unit instanceof Unit.Quantized,
        false,
        0,
        unit.weights(),
        0,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        List.of(),
        failure);
  }

  private static List<String> names(Unit unit) {
    return unit.tensors().stream().map(PlannedTensor::name).toList();
  }
}

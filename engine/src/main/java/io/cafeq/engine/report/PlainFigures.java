package io.cafeq.engine.report;

import com.fasterxml.jackson.annotation.JsonInclude;
import io.cafeq.engine.receipt.ErrorFigures;
import io.cafeq.engine.receipt.UnitFigures;
import org.jspecify.annotations.Nullable;

/**
 * Error and total bits per weight of round-to-nearest (RTN). All finite.
 *
 * @param relativeOutputError by the statistics of the inputs; null where there were none
 */
public record PlainFigures(
    double relativeError,
    @JsonInclude(JsonInclude.Include.NON_NULL) @Nullable Double relativeOutputError,
    double bitsPerWeight) {
  public PlainFigures {
    Figures.requireFinite("relative_error", relativeError);
    Figures.requireFiniteIfThere("relative_output_error", relativeOutputError);
    Figures.requireFinite("bits_per_weight", bitsPerWeight);
  }

  static @Nullable PlainFigures of(@Nullable ErrorFigures figures, UnitFigures unit) {
    return figures == null
        ? null
        : new PlainFigures(
            figures.relativeError(unit.squaredNorm()),
            figures.relativeOutputError(unit.outputNorm()),
            Figures.perWeight(figures.bits(), unit.weights()));
  }
}

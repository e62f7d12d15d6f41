package io.cafeq.engine.report;

import io.cafeq.engine.receipt.ErrorFigures;
import org.jspecify.annotations.Nullable;

/** Error and total bits a weight of a rounding without a transform. Both finite. */
public record PlainFigures(double relativeError, double bitsPerWeight) {
  public PlainFigures {
    Figures.requireFinite("relative_error", relativeError);
    Figures.requireFinite("bits_per_weight", bitsPerWeight);
  }

  static @Nullable PlainFigures of(@Nullable ErrorFigures figures, double squaredNorm, long weights) {
    return figures == null
        ? null
        : new PlainFigures(figures.relativeError(squaredNorm), Figures.perWeight(figures.bits(), weights));
  }
}

package io.cafeq.engine.report;

import io.cafeq.engine.text.NamePattern;
import java.util.List;
import java.util.Locale;

/**
 * A unit whose error is far above that of its kind and would be hidden in totals. All numbers are
 * finite.
 *
 * @param unit its ID
 * @param tensors of which it is made
 * @param measure which error it is
 * @param error of the unit
 * @param usual of units of its kind, at its bits
 */
public record Outlier(
    String unit, List<String> tensors, Measure measure, double error, double usual) {
  /** What was measured. */
  public enum Measure {
    RELATIVE_ERROR("relative error"),
    OUTPUT_ERROR("output error");

    private final String text;

    Measure(String text) {
      this.text = text;
    }

    @Override
    public String toString() {
      return text;
    }
  }

  public Outlier {
    tensors = List.copyOf(tensors);
    Figures.requireFinite("error", error);
    Figures.requireFinite("usual", usual);
  }

  /** One sentence for the user, with the remedy. */
  public String warning() {
    return String.format(
        Locale.ROOT,
        "Unit %s has a %s of %.4f; %.4f is usual for its kind. Quantize again into another folder"
            + " with more bits for its tensors (overrides in a recipe file), or leave them as they"
            + " are: --exclude '%s'.",
        unit,
        measure,
        error,
        usual,
        pattern());
  }

  /** A regular expression that matches these tensors. */
  String pattern() {
    return NamePattern.of(tensors);
  }
}

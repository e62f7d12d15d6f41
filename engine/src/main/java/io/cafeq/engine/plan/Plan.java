package io.cafeq.engine.plan;

import io.cafeq.engine.text.VisibleText;
import java.util.ArrayList;
import java.util.List;

/**
 * The units of a job, in disk order.
 *
 * @param family the model family by which roles were found, or {@code unknown}
 * @param units quantized and copied units in the order of their first tensor on disk
 * @param coverage how much of the model is quantized
 * @param warnings for the user, each a sentence on one line; names from files are escaped here
 */
public record Plan(String family, List<Unit> units, Coverage coverage, List<String> warnings) {
  public Plan {
    units = List.copyOf(units);
    warnings = warnings.stream().map(VisibleText::message).toList();
  }

  /** The same with one more warning. */
  public Plan warning(String sentence) {
    return warning(List.of(sentence));
  }

  public Plan warning(List<String> sentences) {
    List<String> more = new ArrayList<>(warnings);
    more.addAll(sentences);
    return new Plan(family, units, coverage, more);
  }
}

package io.cafeq.engine.plan;

import java.util.ArrayList;
import java.util.List;

/**
 * Everything a job will do, in disk order.
 *
 * @param family the model family by which roles were found, or {@code unknown}
 * @param units quantized and copied units in the order of their first tensor on disk
 * @param coverage how much of the model is quantized
 * @param warnings for the user, each a sentence
 */
public record Plan(String family, List<Unit> units, Coverage coverage, List<String> warnings) {
  public Plan {
    units = List.copyOf(units);
    warnings = List.copyOf(warnings);
  }

  /** The same with something more for the user to know. */
  public Plan warning(String sentence) {
    return warning(List.of(sentence));
  }

  public Plan warning(List<String> sentences) {
    List<String> more = new ArrayList<>(warnings);
    more.addAll(sentences);
    return new Plan(family, units, coverage, more);
  }
}

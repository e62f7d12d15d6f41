package io.cafeq.engine.report;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;

/**
 * What {@code report.json} holds, and what {@code --json} prints: the same names, in snake case.
 *
 * @param units every unit of the plan, in plan order
 * @param recipe the whole recipe with defaults written out
 * @param version of this program
 * @param warnings for the user, each a sentence
 */
public record Report(
    JobStatus status,
    Totals totals,
    List<UnitEntry> units,
    JsonNode recipe,
    Source source,
    Machine machine,
    String version,
    List<String> warnings) {
  public Report {
    units = List.copyOf(units);
    warnings = List.copyOf(warnings);
  }
}

package io.cafeq.engine.report;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonSetter;
import com.fasterxml.jackson.annotation.Nulls;
import com.fasterxml.jackson.databind.JsonNode;
import io.cafeq.engine.text.VisibleText;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What {@code report.json} holds, and what {@code --json} prints: the same names, in snake case.
 *
 * @param coverage how much of the model is quantized; null in reports of versions that did not say
 * @param units every unit of the plan, in plan order
 * @param recipe the whole recipe with defaults written out
 * @param statistics in whose metric weights were rounded; left out where there are none
 * @param version of this program
 * @param warnings for the user, each a sentence on one line; names from files are escaped here
 * @param outliers units whose errors the totals would hide; left out where there are none
 */
public record Report(
    JobStatus status,
    Totals totals,
    @JsonInclude(JsonInclude.Include.NON_NULL) @Nullable CoverageEntry coverage,
    List<UnitEntry> units,
    JsonNode recipe,
    Source source,
    @JsonInclude(JsonInclude.Include.NON_NULL) @Nullable TakenStatistics statistics,
    Machine machine,
    String version,
    List<String> warnings,
    @JsonInclude(JsonInclude.Include.NON_EMPTY) @JsonSetter(nulls = Nulls.AS_EMPTY)
        List<Outlier> outliers) {
  public Report {
    units = List.copyOf(units);
    warnings = warnings.stream().map(VisibleText::message).toList();
    outliers = List.copyOf(outliers);
  }
}

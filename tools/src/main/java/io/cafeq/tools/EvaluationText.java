package io.cafeq.tools;

import io.cafeq.engine.evaluate.OutputError;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** An evaluation for people. */
final class EvaluationText {
  private final EvaluationSummary summary;

  EvaluationText(EvaluationSummary summary) {
    this.summary = summary;
  }

  String render() {
    TextTable table = new TextTable(2);
    EvaluationSummary.Against against = summary.against();
    if (summary.perplexity() != null) {
      table.row(
          "tokens",
          "%d, in windows of %d%s"
              .formatted(
                  summary.tokens(),
                  summary.window(),
                  summary.beginningToken() == null
                      ? ""
                      : " that begin with token " + summary.beginningToken()));
      table.row("perplexity", number(summary.perplexity(), summary.perplexityStandardError()));
    }
    if (against != null && against.perplexity() != null) {
      table.row(
          "of the reference", number(against.perplexity(), against.perplexityStandardError()));
      table.row("KL divergence", format("%.4f nats per token", against.klDivergence()));
      table.row("top-1 agreement", percent(against.topAgreement(), null));
    }
    choices(table, "", summary.choices());
    if (against != null) {
      choices(table, "of the reference: ", against.choices());
    }
    table.row("time", Amounts.time(summary.seconds()));
    String errors =
        against == null || against.outputErrors() == null ? "" : errors(against.outputErrors());
    return table.render() + errors;
  }

  private static void choices(
      TextTable table, String of, EvaluationSummary.@Nullable Choices choices) {
    if (choices != null) {
      table.row(of + "questions", Integer.toString(choices.questions()));
      table.row(of + "right", percent(choices.accuracy(), choices.accuracyStandardError()));
      table.row(
          of + "right, by length",
          percent(choices.normalisedAccuracy(), choices.normalisedAccuracyStandardError()));
    }
  }

  /** A row for each layer, a column for each kind of matrix. */
  private static String errors(List<OutputError> errors) {
    Set<String> matrices = new LinkedHashSet<>();
    Map<Integer, Map<String, Double>> layers = new TreeMap<>();
    for (OutputError error : errors) {
      matrices.add(error.matrix());
      layers
          .computeIfAbsent(error.layer(), layer -> new LinkedHashMap<>())
          .put(error.matrix(), error.error());
    }
    TextTable table = new TextTable(1);
    List<String> head = new ArrayList<>(List.of("layer"));
    matrices.forEach(matrix -> head.add(shortened(matrix)));
    table.row(head.toArray(String[]::new));
    layers.forEach(
        (layer, found) -> {
          List<String> row = new ArrayList<>(List.of(Integer.toString(layer)));
          matrices.forEach(
              matrix ->
                  row.add(found.containsKey(matrix) ? Amounts.error(found.get(matrix)) : "-"));
          table.row(row.toArray(String[]::new));
        });
    return "\nrelative output errors\n" + table.render();
  }

  private static String shortened(String matrix) {
    return matrix.replace("self_attn.", "").replace("mlp.", "").replace("_proj", "");
  }

  private static String number(double value, @Nullable Double standardError) {
    return format("%.4f", value) + (standardError == null ? "" : format(" +- %.4f", standardError));
  }

  private static String percent(@Nullable Double share, @Nullable Double standardError) {
    return format("%.2f", share == null ? 0 : 100 * share)
        + (standardError == null ? "" : format(" +- %.2f", 100 * standardError))
        + " %";
  }

  private static String format(String pattern, @Nullable Double value) {
    return String.format(Locale.ROOT, pattern, value);
  }
}

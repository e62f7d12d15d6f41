package io.cafeq.tools;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.stream.Collectors;

/** A plan for people: layers that are treated alike share a line. */
final class PlanText {
  private static final int MOST_NAMES = 4;

  private final PlanSummary plan;

  PlanText(PlanSummary plan) {
    this.plan = plan;
  }

  /** The table and the sums; with {@code all} every unit has a line of its own. */
  String render(boolean all) {
    TextTable table =
        new TextTable(3)
            .row(
                "tensors",
                "treatment",
                "shape",
                "units",
                "weights",
                "bits",
                "size",
                plan.totals().predictedError() == null ? "" : "error");
    if (all) {
      plan.units().forEach(unit -> line(table, tensors(unit.tensors()), List.of(unit)));
    } else {
      groups().forEach((names, units) -> line(table, names.tensors(), units));
    }
    StringBuilder text = new StringBuilder(table.render()).append('\n').append(sums().render());
    plan.warnings().forEach(warning -> text.append("\nwarning: ").append(warning).append('\n'));
    return text.toString();
  }

  /** What units must have in common to share a line. */
  private record Alike(String tensors, String treatment, List<List<Long>> shapes) {}

  private Map<Alike, List<PlanSummary.UnitLine>> groups() {
    Map<Alike, List<PlanSummary.UnitLine>> groups = new LinkedHashMap<>();
    for (PlanSummary.UnitLine unit : plan.units()) {
      List<String> names =
          unit.tensors().stream().map(name -> name.replaceAll("(?<=\\.)\\d+(?=\\.)", "*")).toList();
      Alike alike =
          new Alike(tensors(names), unit.treatment(), unit.quantized() ? unit.shapes() : List.of());
      groups.computeIfAbsent(alike, key -> new ArrayList<>()).add(unit);
    }
    return groups;
  }

  /** {@code model.layers.*.mlp.gate_proj + up_proj}; many copied tensors are only counted. */
  private static String tensors(List<String> names) {
    if (names.size() > MOST_NAMES) {
      return "norms, embeddings and others";
    }
    String first = names.getFirst().replaceAll("\\.weight$", "");
    int prefix = first.lastIndexOf('.') + 1;
    return names.stream()
        .map(name -> name.replaceAll("\\.weight$", ""))
        .map(
            name ->
                !name.equals(first) && name.startsWith(first.substring(0, prefix))
                    ? name.substring(prefix)
                    : name)
        .collect(Collectors.joining(" + "));
  }

  private static void line(TextTable table, String tensors, List<PlanSummary.UnitLine> units) {
    PlanSummary.UnitLine first = units.getFirst();
    long weights = units.stream().mapToLong(PlanSummary.UnitLine::weights).sum();
    long bytes = units.stream().mapToLong(PlanSummary.UnitLine::bytes).sum();
    List<String> cells =
        new ArrayList<>(
            List.of(
                tensors,
                first.treatment(),
                shape(first),
                Integer.toString(units.size()),
                Amounts.count(weights),
                Amounts.bits(weights == 0 ? 0 : 8.0 * bytes / weights),
                Amounts.bytes(bytes)));
    predictedError(units).ifPresent(error -> cells.add(Amounts.error(error)));
    table.row(cells.toArray(String[]::new));
  }

  /** Over all of them, as the totals count it. */
  private static OptionalDouble predictedError(List<PlanSummary.UnitLine> units) {
    double sum = 0;
    long weights = 0;
    for (PlanSummary.UnitLine unit : units) {
      Double error = unit.predictedError();
      if (error == null) {
        return OptionalDouble.empty();
      }
      sum += error * error * unit.weights();
      weights += unit.weights();
    }
    return weights == 0 ? OptionalDouble.empty() : OptionalDouble.of(Math.sqrt(sum / weights));
  }

  private static String shape(PlanSummary.UnitLine unit) {
    if (!unit.quantized()) {
      return unit.tensors().size() == 1
          ? times(unit.shapes().getFirst())
          : unit.tensors().size() + " tensors";
    }
    // Scales come with their matrices, and can have any shape, none too.
    List<List<Long>> matrices = unit.shapes().stream().filter(shape -> shape.size() > 1).toList();
    if (matrices.isEmpty()) {
      return "";
    }
    long columns = matrices.getFirst().getLast();
    long rows =
        matrices.stream()
            .filter(shape -> shape.getLast() == columns)
            .mapToLong(List::getFirst)
            .sum();
    return rows + " x " + columns;
  }

  private static String times(List<Long> shape) {
    return shape.stream().map(String::valueOf).collect(Collectors.joining(" x "));
  }

  private static String estimates(PlanSummary.Estimates estimates) {
    StringBuilder text =
        new StringBuilder().append(estimates.whole()).append(" inputs by all features");
    estimates
        .floors()
        .forEach(
            (reason, inputs) ->
                text.append("; ")
                    .append(inputs)
                    .append(" by the floor 1 / std^2: ")
                    .append(reason));
    return text.toString();
  }

  private TextTable sums() {
    PlanSummary.Totals totals = plan.totals();
    TextTable table = new TextTable(2);
    table.row("family", plan.family());
    table.row("quantized weights", Amounts.count(totals.weights()));
    table.row("of all matrices", CoverageText.of(plan.coverage()));
    table.row(
        "bits per weight",
        Amounts.bits(totals.bitsPerWeight())
            + " with scales and transforms, "
            + Amounts.bits(totals.modelBitsPerWeight())
            + " over the whole model");
    if (totals.predictedError() != null) {
      table.row(
          "predicted error",
          Amounts.error(totals.predictedError()) + " relative to the quantized weights");
    }
    table.row(
        "model size",
        Amounts.bytes(totals.sourceBytes()) + " -> " + Amounts.bytes(totals.modelBytes()));
    table.row(
        "memory",
        "up to "
            + Amounts.bytes(plan.memory().largestUnitBytes())
            + " per lane, "
            + plan.memory().lanes()
            + " lanes, cap "
            + Amounts.bytes(plan.memory().capBytes()));
    table.row(
        "disk",
        Amounts.bytes(plan.disk().neededBytes())
            + " needed, "
            + Amounts.bytes(plan.disk().freeBytes())
            + " free in "
            + plan.disk().folder());
    PlanSummary.Statistics statistics = plan.statistics();
    if (statistics != null) {
      PlanSummary.Estimates estimates = statistics.estimates();
      table.row(
          "statistics",
          (estimates == null ? statistics.tokens() + " tokens, " : "no tokens, ")
              + "source "
              + statistics.source()
              + ", "
              + statistics.layers()
              + " layers, up to "
              + Amounts.bytes(statistics.bytes())
              + " of files");
      if (estimates != null) {
        table.row("estimates", estimates(estimates));
      }
    }
    table.row(
        "time", "about " + Amounts.time(plan.seconds()) + ", reading and writing not counted");
    table.row("left out", LeftOutText.of(plan.leftOutReasons()));
    return table;
  }
}

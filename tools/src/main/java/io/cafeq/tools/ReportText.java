package io.cafeq.tools;

import io.cafeq.engine.report.JobStatus;
import io.cafeq.engine.report.Outlier;
import io.cafeq.engine.report.PairTotals;
import io.cafeq.engine.report.PlainFigures;
import io.cafeq.engine.report.Report;
import io.cafeq.engine.report.TakenStatistics;
import io.cafeq.engine.report.Totals;
import io.cafeq.engine.report.UnitEntry;
import io.cafeq.engine.report.UnitStatus;
import io.cafeq.engine.result.ResultLayout;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Formats a report as a table for people. Every number comes from the report. */
final class ReportText {
  private static final int MOST_FAILURES = 10;
  private static final int MOST_OUTLIERS = 10;

  private ReportText() {}

  /** Returns the whole table. */
  static String of(Report report) {
    StringBuilder text = new StringBuilder(overview(report));
    if (report.totals().weights() > 0) {
      text.append('\n').append(errors(report.totals()));
    }
    PairTotals pairs = report.totals().pairs();
    if (pairs != null) {
      text.append('\n').append(pairs(pairs, report.totals().relativeOutputError() != null));
    }
    text.append(outliers(report.outliers()));
    text.append(failures(report.units()));
    report.warnings().forEach(warning -> text.append("\nwarning: ").append(warning).append('\n'));
    return text.toString();
  }

  private static String overview(Report report) {
    Totals totals = report.totals();
    long before = report.source().shards().stream().mapToLong(shard -> shard.bytes()).sum();
    long present = report.units().stream().filter(ReportText::isPresent).count();
    TextTable table = new TextTable(2);
    table.row("status", report.status().text());
    table.row("units", present + " of " + report.units().size() + kept(report) + fellBack(report));
    table.row("quantized weights", Amounts.count(totals.weights()));
    if (report.coverage() != null) {
      table.row("of all matrices", CoverageText.of(report.coverage()));
    }
    if (report.status() == JobStatus.COMPLETE) {
      table.row(
          "bits per weight",
          Amounts.bits(totals.bitsPerWeight())
              + " with scales and transforms, "
              + Amounts.bits(totals.modelBitsPerWeight())
              + " over the whole model");
      table.row("model size", Amounts.bytes(before) + " -> " + Amounts.bytes(totals.modelBytes()));
    }
    TakenStatistics statistics = report.statistics();
    if (statistics != null) {
      table.row(
          "statistics",
          statistics.tokens() == 0
              ? "source " + statistics.source() + ", no tokens: calibration-free"
              : Amounts.count(statistics.tokens()) + " tokens, source " + statistics.source());
    } else if (totals.weights() > 0) {
      table.row("statistics", "none: calibration-free");
    }
    table.row(
        "time",
        Amounts.time(totals.seconds())
            + ", read "
            + Amounts.bytes(totals.bytesRead())
            + ", wrote "
            + Amounts.bytes(totals.bytesWritten()));
    table.row(
        "peak memory",
        Amounts.bytes(totals.peakMemoryBytes())
            + " of "
            + Amounts.bytes(report.machine().maxMemoryBytes())
            + (report.machine().memoryCapExceeded() ? ", over the cap" : ""));
    return table.render();
  }

  private static String kept(Report report) {
    long kept = report.units().stream().filter(unit -> unit.status() == UnitStatus.KEPT).count();
    return kept == 0 ? "" : ", " + kept + " kept from an earlier run";
  }

  private static String fellBack(Report report) {
    long fellBack = report.units().stream().filter(UnitEntry::fellBack).count();
    return fellBack == 0 ? "" : ", " + fellBack + " fell back to no transform";
  }

  private static String errors(Totals totals) {
    boolean outputs = totals.relativeOutputError() != null;
    TextTable table = new TextTable(1);
    row(table, outputs, "", "relative error", "output error", "bits per weight", "this result is");
    row(
        table,
        outputs,
        "this result",
        Amounts.error(totals.relativeError()),
        error(totals.relativeOutputError()),
        Amounts.bits(totals.bitsPerWeight()),
        "");
    baseline(table, "round-to-nearest (RTN)", totals.plain(), totals);
    baseline(table, "RTN, clipped", totals.plainClipped(), totals);
    baseline(table, "RTN, equal bits", totals.plainEqualBits(), totals);
    return table.render();
  }

  private static void baseline(
      TextTable table, String name, @Nullable PlainFigures plain, Totals totals) {
    if (plain != null) {
      Double output = totals.relativeOutputError();
      Double plainOutput = plain.relativeOutputError();
      // what counts is the output's error, where it is known
      String comparison =
          output != null && plainOutput != null
              ? Amounts.comparison(output, plainOutput)
              : Amounts.comparison(totals.relativeError(), plain.relativeError());
      row(
          table,
          output != null,
          name,
          Amounts.error(plain.relativeError()),
          error(plainOutput),
          Amounts.bits(plain.bitsPerWeight()),
          comparison);
    }
  }

  private static String error(@Nullable Double error) {
    return error == null ? "" : Amounts.error(error);
  }

  /** The third column is there only with statistics. */
  private static void row(
      TextTable table,
      boolean outputs,
      String name,
      String error,
      String output,
      String bits,
      String comparison) {
    if (outputs) {
      table.row(name, error, output, bits, comparison);
    } else {
      table.row(name, error, bits, comparison);
    }
  }

  /** Baselines of the products that coupled matrices stand for. */
  private static String pairs(PairTotals pairs, boolean outputs) {
    List<String> others = new ArrayList<>();
    addOther(others, "none", pairs.none());
    addOther(others, "rotation", pairs.rotation());
    String some = pairs.countLearned() < pairs.count() ? " (in " + pairs.countLearned() + ")" : "";
    addOther(others, "learned" + some, pairs.learned());
    TextTable table = new TextTable(2);
    table.row("pairs", pairs.count() + ", error of the product " + Amounts.error(pairs.result()));
    if (!others.isEmpty()) {
      table.row("", "by transform, each matrix rounded by itself: " + String.join(", ", others));
    }
    if (outputs) {
      table.row("", "with statistics each matrix is rounded for its outputs, not for the product");
    }
    return table.render();
  }

  private static void addOther(List<String> others, String name, @Nullable Double error) {
    if (error != null) {
      others.add(name + " " + Amounts.error(error));
    }
  }

  /** Units that the lines above would hide, the worst first; what helps is said in the warnings. */
  private static String outliers(List<Outlier> outliers) {
    if (outliers.isEmpty()) {
      return "";
    }
    TextTable table = new TextTable(2);
    table.row("far above its kind", "", "error", "usual");
    outliers.stream()
        .sorted(Comparator.comparingDouble((Outlier outlier) -> -outlier.error() / outlier.usual()))
        .limit(MOST_OUTLIERS)
        .forEach(
            outlier ->
                table.row(
                    outlier.unit(), outlier.measure().toString(),
                    Amounts.error(outlier.error()), Amounts.error(outlier.usual())));
    String more =
        outliers.size() > MOST_OUTLIERS
            ? (outliers.size() - MOST_OUTLIERS) + " more; " + ResultLayout.REPORT + " names them.\n"
            : "";
    return "\n" + table.render() + more;
  }

  private static String failures(List<UnitEntry> units) {
    List<UnitEntry> failed = units.stream().filter(unit -> unit.error() != null).toList();
    StringBuilder text = new StringBuilder();
    for (UnitEntry unit : failed.subList(0, Math.min(MOST_FAILURES, failed.size()))) {
      var error = Objects.requireNonNull(unit.error());
      text.append("\nunit ").append(unit.id()).append(" failed: ").append(error.message());
      text.append("\n  ").append(error.remedy()).append('\n');
    }
    if (failed.size() > MOST_FAILURES) {
      text.append("\n")
          .append(failed.size() - MOST_FAILURES)
          .append(" more units failed; ")
          .append(ResultLayout.REPORT)
          .append(" names them.\n");
    }
    return text.toString();
  }

  private static boolean isPresent(UnitEntry unit) {
    return switch (unit.status()) {
      case DONE, KEPT -> true;
      case FAILED, MISSING -> false;
    };
  }
}

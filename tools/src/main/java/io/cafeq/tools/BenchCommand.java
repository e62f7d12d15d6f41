package io.cafeq.tools;

import io.cafeq.engine.compute.Compute;
import io.cafeq.tools.bench.EstimateBench;
import io.cafeq.tools.bench.LayerBench;
import io.cafeq.tools.bench.LearningBench;
import io.cafeq.tools.bench.Measured;
import io.cafeq.tools.bench.StatisticsBench;
import io.cafeq.tools.bench.StreamingBench;
import io.cafeq.tools.bench.WorkFolder;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code cafeq bench}. */
@Command(
    name = "bench",
    description = {
      "Measures how fast this machine learns and streams, and the limit of each figure in the same"
          + " run.",
      "Takes a few minutes; other work on the machine lowers the figures."
    })
final class BenchCommand implements Callable<Integer> {
  @Spec CommandSpec spec;

  /** A part that can be measured alone. */
  enum Part {
    all,
    learn,
    statistics,
    estimate,
    stream
  }

  @Option(
      names = "--part",
      paramLabel = "PART",
      description = "One of: ${COMPLETION-CANDIDATES} (default ${DEFAULT-VALUE}).")
  Part part = Part.all;

  @Option(
      names = "--backend",
      paramLabel = "NAME",
      description = "Compute backend that learns (default ${DEFAULT-VALUE}).")
  String backend = "auto";

  @Option(
      names = "--megabytes",
      paramLabel = "N",
      description =
          "Size of the streamed checkpoint in MB; needs twice that on disk (default"
              + " ${DEFAULT-VALUE}).")
  long megabytes = 1000;

  @Option(
      names = "--folder",
      paramLabel = "DIR",
      description =
          "Folder in which the temporary checkpoint is written (default: the temporary folder).")
  Path folder = Path.of(System.getProperty("java.io.tmpdir"));

  @Option(
      names = "--runs",
      paramLabel = "N",
      description = "Runs per figure, of which the best counts (default ${DEFAULT-VALUE}).")
  int runs = 5;

  @Mixin CommonOptions common = new CommonOptions();

  private final Console console;
  private final Interruption interruption;

  BenchCommand(Console console, Interruption interruption) {
    this.console = console;
    this.interruption = interruption;
  }

  @Override
  public Integer call() throws IOException {
    if (runs < 1 || megabytes < 1) {
      throw new ParameterException(spec.commandLine(), "--runs and --megabytes must be at least 1");
    }
    List<Measured> figures = new ArrayList<>();
    if (part == Part.all || part == Part.learn) {
      learn(figures);
    }
    if (part == Part.all || part == Part.statistics) {
      statistics(figures);
    }
    if (part == Part.all || part == Part.estimate) {
      estimate(figures);
    }
    if (part == Part.all || part == Part.stream) {
      stream(figures);
    }
    if (common.json) {
      console.json(figures);
    } else {
      console.result(text(figures));
    }
    return ExitCode.OK;
  }

  private static String text(List<Measured> figures) {
    TextTable table = new TextTable(1).row("", "measured", "limit", "ratio");
    TextTable layers = new TextTable(1);
    for (Measured each : figures) {
      table.row(each.name(), amount(each, each.value()), amount(each, each.limit()), ratio(each));
      Measured.Layer layer = each.layer();
      if (layer != null) {
        layers.row(
            each.name(),
            Amounts.time(layer.seconds()) + " per layer on one lane",
            "from " + layer.measured());
      }
    }
    return layers.isEmpty() ? table.render() : table.render() + "\n" + layers.render();
  }

  private void learn(List<Measured> figures) {
    Compute opened = Compute.open(backend);
    int lanes = Runtime.getRuntime().availableProcessors();
    LearningBench bench = new LearningBench(opened, lanes, runs, interruption.stopFlag());
    console.message("measuring matrix products and learning");
    double limit = bench.limit();
    figures.add(bench.outputSide(128, limit));
    figures.add(bench.outputSide(64, limit));
    figures.add(bench.inputSide(128, limit));
    figures.add(bench.inputSide(64, limit));
    LayerBench layer = new LayerBench(opened, lanes, runs, interruption.stopFlag());
    figures.add(layer.valueOutput(limit));
    figures.add(layer.gateAndUp(limit));
  }

  private void statistics(List<Measured> figures) throws IOException {
    console.message("measuring a layer's inputs");
    Compute opened = Compute.open(backend);
    int lanes = Runtime.getRuntime().availableProcessors();
    LearningBench bench = new LearningBench(opened, lanes, runs, interruption.stopFlag());
    double limit = bench.limit() / lanes;
    double learning = bench.inputSide(64, limit).value() / lanes;
    try (WorkFolder work = WorkFolder.below(folder)) {
      figures.addAll(
          new StatisticsBench(work.path(), opened.backend(), interruption.stopFlag())
              .run(limit, learning));
    }
  }

  private void estimate(List<Measured> figures) throws IOException {
    console.message("estimating the inputs of a checkpoint of " + megabytes + " MB");
    try (WorkFolder work = WorkFolder.below(folder)) {
      figures.add(
          new EstimateBench(work.path(), megabytes * 1_000_000, interruption.stopFlag()).run());
    }
  }

  private void stream(List<Measured> figures) throws IOException {
    console.message("streaming a checkpoint of " + megabytes + " MB");
    try (WorkFolder work = WorkFolder.below(folder)) {
      figures.addAll(
          new StreamingBench(
                  work.path(),
                  megabytes * 1_000_000,
                  runs,
                  Version.current(),
                  interruption.stopFlag())
              .run());
    }
  }

  private static String amount(Measured figure, double value) {
    return String.format(Locale.ROOT, "%.1f %s", value, figure.unit());
  }

  private static String ratio(Measured figure) {
    return String.format(Locale.ROOT, "%.2f", figure.ratio());
  }
}

package io.cafeq.tools;

import io.cafeq.engine.export.ExportFormat;
import io.cafeq.engine.export.ExportOption;
import io.cafeq.engine.export.ExportProgress;
import io.cafeq.engine.export.ExportRequest;
import io.cafeq.engine.export.Exported;
import io.cafeq.engine.export.Exports;
import io.cafeq.engine.export.LeftBehind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.text.VisibleText;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code cafeq export}. */
@Command(name = "export", description = "Writes a result in a format that other programs read.")
final class ExportCommand implements Callable<Integer> {
  @Parameters(paramLabel = "DIR", description = "Folder of the result.")
  Path result;

  @Option(
      names = "--format",
      required = true,
      paramLabel = "FORMAT",
      description = "Export format, one of those below.")
  String format;

  @Option(
      names = "--out",
      required = true,
      paramLabel = "DIR",
      description = "Output folder, new or empty.")
  Path out;

  @Option(
      names = "--option",
      paramLabel = "NAME=VALUE",
      description = "Option of the format; may be repeated.")
  Map<String, String> options = new LinkedHashMap<>();

  @Mixin CommonOptions common = new CommonOptions();

  private final Console console;
  private final Interruption interruption;

  /** The JSON document; {@code leftBehind} is what of the result the export does not hold. */
  private record Document(
      String format,
      String path,
      int tensors,
      long bytes,
      double seconds,
      List<LeftBehind> leftBehind,
      List<String> warnings) {}

  /** Shows what part of the weights is written, once the format says how many there will be. */
  private static final class Progress implements ExportProgress, AutoCloseable {
    private final Console console;
    private @Nullable StepProgress steps;

    private Progress(Console console) {
      this.console = console;
    }

    @Override
    public void begin(long weights) {
      steps = new StepProgress(console, "exporting", weights);
    }

    @Override
    public void advanced(long weights) {
      if (steps != null) {
        steps.advance(weights);
      }
    }

    @Override
    public void close() {
      if (steps != null) {
        steps.close();
      }
    }
  }

  ExportCommand(Console console, Interruption interruption) {
    this.console = console;
    this.interruption = interruption;
  }

  @Spec
  void describeFormats(CommandSpec spec) {
    List<String> lines = new ArrayList<>(List.of("", "Formats:"));
    for (ExportFormat<?> each : Exports.installed()) {
      lines.add("  " + each.id() + ": " + each.description() + ".");
      for (ExportOption option : each.options()) {
        lines.add(
            "    --option " + option.name() + "=" + option.values() + ": " + option.description());
      }
    }
    spec.usageMessage()
        .footer(lines.stream().map(line -> line.replace("%", "%%")).toArray(String[]::new));
  }

  @Override
  public Integer call() {
    long start = System.nanoTime();
    Exported exported;
    StopFlag stop = interruption.stopFlag();
    try (Progress progress = new Progress(console)) {
      exported = Exports.run(new ExportRequest(result, format, out, options), stop, progress);
    }
    double seconds = (System.nanoTime() - start) / (double) TimeUnit.SECONDS.toNanos(1);
    if (common.json) {
      console.json(
          new Document(
              format,
              out.toString(),
              exported.tensors(),
              exported.bytes(),
              seconds,
              exported.leftBehind(),
              exported.warnings()));
    } else {
      console.result(
          "Wrote "
              + exported.tensors()
              + " tensors, "
              + Amounts.bytes(exported.bytes())
              + ", to "
              + VisibleText.line(out.toString())
              + " in "
              + Amounts.time(seconds)
              + ".\n"
              + leftBehind(exported));
    }
    exported.warnings().forEach(warning -> console.message("cafeq: warning: " + warning));
    return ExitCode.OK;
  }

  private static String leftBehind(Exported exported) {
    TextTable table = new TextTable(3);
    exported.leftBehind().forEach(left -> table.row("left out", left.what(), left.reason()));
    return table.isEmpty() ? "" : "\n" + table.render();
  }
}

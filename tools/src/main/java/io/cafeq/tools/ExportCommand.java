package io.cafeq.tools;

import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.export.DenseExport;
import io.cafeq.engine.export.Exported;
import io.cafeq.engine.export.LeftBehind;
import io.cafeq.engine.text.VisibleText;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code cafeq export}. */
@Command(name = "export", description = "Writes a result in a form that other programs read.")
final class ExportCommand implements Callable<Integer> {
  /** The forms, by the names that users give. */
  enum Format {
    dense
  }

  @Parameters(paramLabel = "DIR", description = "The result's folder.")
  Path result;

  @Option(
      names = "--format",
      required = true,
      paramLabel = "FORMAT",
      description =
          "dense: an ordinary safetensors checkpoint of the effective weights, in the source's"
              + " types and names.")
  Format format;

  @Option(
      names = "--out",
      required = true,
      paramLabel = "DIR",
      description = "The folder to make, new or empty.")
  Path out;

  @Mixin CommonOptions common = new CommonOptions();

  private final Console console;
  private final Interruption interruption;

  /** The JSON document; {@code leftBehind} is what of the result the export does not hold. */
  private record Document(
      Format format,
      String path,
      int tensors,
      long bytes,
      double seconds,
      List<LeftBehind> leftBehind,
      List<String> warnings) {}

  ExportCommand(Console console, Interruption interruption) {
    this.console = console;
    this.interruption = interruption;
  }

  @Override
  public Integer call() {
    long start = System.nanoTime();
    Exported exported;
    try (StepProgress progress =
        new StepProgress(console, "exporting", Manifest.read(result).totals().weights())) {
      exported =
          switch (format) {
            case dense -> DenseExport.run(result, out, interruption.stopFlag(), progress::advance);
          };
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

package io.cafeq.tools;

import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.export.DenseExport;
import java.nio.file.Path;
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
      names = "--format", required = true, paramLabel = "FORMAT",
      description = "dense: an ordinary safetensors checkpoint of the effective weights, in the source's types and names.")
  Format format;

  @Option(names = "--out", required = true, paramLabel = "DIR", description = "The folder to make, new or empty.")
  Path out;

  @Mixin CommonOptions common = new CommonOptions();

  private final Console console;
  private final Interruption interruption;

  private record Document(Format format, String path, int tensors, long bytes, double seconds) {}

  ExportCommand(Console console, Interruption interruption) {
    this.console = console;
    this.interruption = interruption;
  }

  @Override
  public Integer call() {
    long start = System.nanoTime();
    Manifest manifest = Manifest.read(result);
    try (StepProgress progress = new StepProgress(console, "exporting", manifest.totals().weights())) {
      switch (format) {
        case dense -> DenseExport.run(result, out, interruption.stopFlag(), progress::advance);
      }
    }
    long bytes = manifest.tensors().stream().mapToLong(tensor -> tensor.elements() * tensor.dtype().bytes()).sum();
    double seconds = (System.nanoTime() - start) / (double) TimeUnit.SECONDS.toNanos(1);
    Document document = new Document(format, out.toString(), manifest.tensors().size(), bytes, seconds);
    if (common.json) {
      console.json(document);
    } else {
      console.result("Wrote " + document.tensors() + " tensors, " + Amounts.bytes(bytes) + ", to " + out + " in "
          + Amounts.time(seconds) + ".\n");
    }
    return ExitCode.OK;
  }
}

package io.cafeq.tools;

import io.cafeq.engine.checkpoint.Checkpoint;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code cafeq inspect}. */
@Command(
    name = "inspect",
    description = "Shows what a checkpoint or a quantized result holds, from headers alone.")
final class InspectCommand implements Callable<Integer> {
  @Parameters(
      paramLabel = "PATH",
      description = "A checkpoint's folder or single file, or a result's folder.")
  Path path;

  @Option(names = "--all", description = "Show every unit and tensor, not only sums.")
  boolean all;

  @Mixin CommonOptions common = new CommonOptions();

  private final Console console;

  InspectCommand(Console console) {
    this.console = console;
  }

  @Override
  public Integer call() {
    if (ResultSummary.isResult(path)) {
      ResultSummary summary = ResultSummary.of(path);
      show(summary, summary.text(all));
      return ExitCode.OK;
    }
    try (Checkpoint checkpoint = Checkpoint.open(path)) {
      CheckpointSummary summary = CheckpointSummary.of(checkpoint);
      show(summary, summary.text(all));
    }
    return ExitCode.OK;
  }

  private void show(Object document, String text) {
    if (common.json) {
      console.json(document);
    } else {
      console.result(text);
    }
  }
}

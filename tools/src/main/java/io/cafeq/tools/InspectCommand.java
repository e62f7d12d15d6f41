package io.cafeq.tools;

import io.cafeq.engine.checkpoint.Checkpoint;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code cafeq inspect}. */
@Command(name = "inspect", description = "Shows what a checkpoint or a quantized result holds, from headers alone.")
final class InspectCommand implements Callable<Integer> {
  @Parameters(paramLabel = "PATH", description = "A checkpoint's folder or single file, or a result's folder.")
  Path path;

  @Option(names = "--all", description = "Show every tensor or unit, not only sums.")
  boolean all;

  @Mixin CommonOptions common = new CommonOptions();

  private final Console console;

  InspectCommand(Console console) {
    this.console = console;
  }

  @Override
  public Integer call() {
    if (Files.exists(path.resolve("manifest.json"))) {
      return ExitCode.OK;
    }
    try (Checkpoint checkpoint = Checkpoint.open(path)) {
      CheckpointSummary summary = CheckpointSummary.of(checkpoint);
      if (common.json) {
        console.json(summary);
      } else {
        console.result(summary.text(all));
      }
    }
    return ExitCode.OK;
  }
}

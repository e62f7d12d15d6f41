package io.cafeq.tools;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.store.Location;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code cafeq inspect}. */
@Command(
    name = "inspect",
    description = "Shows the contents of a checkpoint or a quantized result, from headers alone.")
final class InspectCommand implements Callable<Integer> {
  @Parameters(
      paramLabel = "PATH",
      description = "Folder of a result, or a checkpoint as for quantize.")
  String path = "";

  @Option(names = "--all", description = "Show every unit and tensor, not just totals.")
  boolean all;

  @Mixin RemoteOptions remote = new RemoteOptions();
  @Mixin CommonOptions common = new CommonOptions();

  private final Console console;

  InspectCommand(Console console) {
    this.console = console;
  }

  @Override
  public Integer call() {
    if (Location.parse(path) instanceof Location.Local(Path folder)
        && ResultSummary.isResult(folder)) {
      ResultSummary summary = ResultSummary.of(folder);
      show(summary, summary.text(all));
      return ExitCode.OK;
    }
    try (Checkpoint checkpoint = Checkpoint.open(path, remote.settings())) {
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

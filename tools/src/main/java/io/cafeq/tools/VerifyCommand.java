package io.cafeq.tools;

import com.fasterxml.jackson.annotation.JsonInclude;
import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.block.ResultVerifier;
import io.cafeq.engine.checkpoint.Checkpoint;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code cafeq verify}. */
@Command(
    name = "verify",
    description =
        "Checks a result: all checksums, a decoding of every tensor, and with --against its"
            + " errors.")
final class VerifyCommand implements Callable<Integer> {
  private static final int MOST_PROBLEMS = 20;

  @Parameters(paramLabel = "DIR", description = "Folder of the result.")
  Path result;

  @Option(
      names = "--against",
      paramLabel = "MODEL",
      description = "Source checkpoint of the result; recomputes the errors.")
  @Nullable String model;

  @Mixin RemoteOptions remote = new RemoteOptions();
  @Mixin CommonOptions common = new CommonOptions();

  private final Console console;
  private final Interruption interruption;

  /** The JSON document; {@code relativeError} is null without a model. */
  private record Document(
      boolean sound,
      int units,
      long weights,
      @JsonInclude(JsonInclude.Include.NON_NULL) @Nullable Double relativeError,
      @JsonInclude(JsonInclude.Include.NON_NULL) @Nullable String statistics,
      double seconds,
      List<Problem> problems) {}

  private record Problem(String message, String remedy) {}

  VerifyCommand(Console console, Interruption interruption) {
    this.console = console;
    this.interruption = interruption;
  }

  @Override
  public Integer call() {
    Document document = model == null ? verify(null) : verifyAgainst(model);
    if (common.json) {
      console.json(document);
    } else {
      print(document);
    }
    return document.sound() ? ExitCode.OK : ExitCode.FAILURE;
  }

  private Document verifyAgainst(String path) {
    try (Checkpoint checkpoint = Checkpoint.open(path, remote.settings())) {
      return verify(checkpoint);
    }
  }

  private Document verify(@Nullable Checkpoint checkpoint) {
    long start = System.nanoTime();
    try (StepProgress progress =
        new StepProgress(console, "verifying", Manifest.read(result).units().size())) {
      ResultVerifier.Verdict verdict =
          ResultVerifier.verify(
              result, checkpoint, interruption.stopFlag(), unit -> progress.advance(1));
      return new Document(
          verdict.isSound(),
          verdict.units(),
          verdict.weights(),
          checkpoint == null ? null : verdict.relativeError(),
          statistics(verdict.statistics()),
          (System.nanoTime() - start) / (double) TimeUnit.SECONDS.toNanos(1),
          verdict.problems().stream()
              .map(e -> new Problem(String.valueOf(e.getMessage()), e.remedy()))
              .toList());
    }
  }

  /**
   * Describes the statistics. A finished result does not need its statistics, so missing ones are
   * no problem.
   */
  private static @Nullable String statistics(ResultVerifier.StatisticsFiles files) {
    return switch (files) {
      case NONE -> null;
      case CHECKED -> "checked";
      case NOT_THERE -> "missing";
    };
  }

  private void print(Document document) {
    TextTable table =
        new TextTable(2)
            .row("units", Integer.toString(document.units()))
            .row("quantized weights", Amounts.count(document.weights()))
            .row(
                "relative error",
                document.relativeError() == null
                    ? "not measured without --against"
                    : Amounts.error(document.relativeError()))
            .row("time", Amounts.time(document.seconds()));
    if (document.statistics() != null) {
      table.row("statistics", document.statistics());
    }
    console.result(table.render());
    List<Problem> problems = document.problems();
    for (Problem problem : problems.subList(0, Math.min(MOST_PROBLEMS, problems.size()))) {
      console.result("\nproblem: " + problem.message() + "\n  " + problem.remedy() + "\n");
    }
    if (problems.size() > MOST_PROBLEMS) {
      console.result(
          "\n" + (problems.size() - MOST_PROBLEMS) + " more problems; --json lists all.\n");
    }
    console.result(document.sound() ? "\nThe result is sound.\n" : "\nThe result is not sound.\n");
  }
}

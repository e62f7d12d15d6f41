package io.cafeq.tools;

import com.fasterxml.jackson.annotation.JsonInclude;
import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.block.ResultVerifier;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.export.ExportRecord;
import io.cafeq.engine.export.Exports;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
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
            + " errors. Checks an export: every byte, and with --against every weight.")
final class VerifyCommand implements Callable<Integer> {
  private static final int MOST_PROBLEMS = 20;

  @Parameters(paramLabel = "DIR", description = "Folder of the result, or of an export.")
  Path result;

  @Option(
      names = "--against",
      paramLabel = "MODEL",
      description =
          "Source checkpoint of the result; recomputes the errors. For an export: the result that"
              + " it was made from; compares all weights.")
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
    if (Files.exists(result.resolve(ExportRecord.NAME))) {
      return export();
    }
    Document document = model == null ? verify(null) : verifyAgainst(model);
    if (common.json) {
      console.json(document);
    } else {
      print(document);
    }
    return document.sound() ? ExitCode.OK : ExitCode.FAILURE;
  }

  /** The JSON document of an export. */
  private record ExportDocument(boolean sound, boolean compared, List<String> faults) {}

  private int export() {
    Optional<Path> from = Optional.ofNullable(model).map(Path::of);
    List<String> faults = Exports.verify(result, from, interruption.stopFlag());
    if (common.json) {
      console.json(new ExportDocument(faults.isEmpty(), from.isPresent(), faults));
    } else {
      faults.forEach(fault -> console.result("problem: " + fault + "\n"));
      console.result(
          faults.isEmpty()
              ? from.isPresent()
                  ? "The export is sound, and its weights are the result's.\n"
                  : "Every byte of the export is as it was written.\n"
              : "The export is not sound. Export the result again into another folder.\n");
    }
    return faults.isEmpty() ? ExitCode.OK : ExitCode.FAILURE;
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

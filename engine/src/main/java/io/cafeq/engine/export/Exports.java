package io.cafeq.engine.export;

import io.cafeq.engine.block.ResultReader;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.text.VisibleText;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.stream.Collectors;

/** Finds the installed formats and runs exports. */
public final class Exports {
  private Exports() {}

  /** All formats by their ids. */
  public static List<ExportFormat<?>> installed() {
    return ServiceLoader.load(ExportFormat.class).stream()
        .<ExportFormat<?>>map(ServiceLoader.Provider::get)
        .sorted(Comparator.comparing(ExportFormat::id))
        .toList();
  }

  /** Throws with kind USAGE and the installed ones where there is no such format. */
  public static ExportFormat<?> find(String id) {
    List<ExportFormat<?>> installed = installed();
    return installed.stream()
        .filter(format -> format.id().equals(id))
        .findFirst()
        .orElseThrow(
            () ->
                new EngineException(
                    FailureKind.USAGE,
                    "no export format is called " + VisibleText.quoted(id),
                    "Give one of these with --format: "
                        + installed.stream().map(ExportFormat::id).collect(Collectors.joining(", "))
                        + "."));
  }

  /**
   * Makes the folder {@code request.target}, which must not exist or be empty and must be apart
   * from the result. Everything is written to a folder beside it that gets its name when complete,
   * so that an export that was killed is never taken for a whole one. Kind USAGE where the folder,
   * the format or an option will not do, or the format cannot hold the result: it then says
   * everything that stands against it, before any work. Kind RESULT where the result is partial or
   * damaged, or a weight does not fit its type; ENVIRONMENT where the disk fails.
   */
  public static Exported run(ExportRequest request, StopFlag stop, ExportProgress progress) {
    return run(find(request.format()), request, stop, progress);
  }

  /** The same with a format that need not be installed. */
  public static <O> Exported run(
      ExportFormat<O> format, ExportRequest request, StopFlag stop, ExportProgress progress) {
    O options = format.read(new ExportOptions(format, request.options()));
    try (ResultReader result = ResultReader.open(request.result());
        ExportFolder folder = ExportFolder.create(request.target(), request.result())) {
      format.check(result, options).require(format.id());
      Exported exported = format.write(result, folder.path(), options, stop, progress);
      format.prove(result, folder.path(), options, stop);
      ExportRecord.of(request, folder.path(), stop).write(folder.path());
      folder.publish();
      return exported;
    }
  }

  /**
   * What is wrong with an export, each a sentence; none where every byte is as it was written.
   *
   * @param result that it was made from; where it is given, all weights are compared with it as
   *     well
   */
  public static List<String> verify(Path export, Optional<Path> result, StopFlag stop) {
    ExportRecord record =
        ExportRecord.read(export)
            .orElseThrow(
                () ->
                    new EngineException(
                        FailureKind.RESULT,
                        export + " has no " + ExportRecord.NAME,
                        "Give the folder that \"cafeq export --out\" wrote."));
    List<String> faults = new ArrayList<>(record.faults(export, stop));
    if (result.isPresent()) {
      if (!ExportRecord.result(result.get(), stop).equals(record.resultSha256())) {
        faults.add("it was made from another result than " + result.get());
      } else if (faults.isEmpty()) {
        prove(find(record.format()), record, export, result.get(), stop, faults);
      }
    }
    return faults;
  }

  private static <O> void prove(
      ExportFormat<O> format,
      ExportRecord record,
      Path export,
      Path from,
      StopFlag stop,
      List<String> faults) {
    O options = format.read(new ExportOptions(format, record.options()));
    try (ResultReader result = ResultReader.open(from)) {
      format.prove(result, export, options, stop);
    } catch (EngineException e) {
      if (e.kind() != FailureKind.RESULT) {
        throw e;
      }
      faults.add(String.valueOf(e.getMessage()));
    }
  }
}

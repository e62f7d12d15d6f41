package io.cafeq.engine.block;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.Digests;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.result.ResultLayout;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Verifies a whole result folder: manifest, every unit's file (SHA-256, checksums, decoding, and
 * against the source its errors and bytes), side files, and that nothing is missing or superfluous.
 * Goes on after a problem and lists all of them. Used by one thread.
 */
public final class ResultVerifier {
  /**
   * @param units units looked at
   * @param weights quantized weights that were decoded
   * @param squaredError over all quantized weights, measured now; 0 without a source
   * @param squaredNorm of the original weights; 0 without a source
   * @param statistics whether the statistics that the result was made with were looked at
   * @param problems empty for a sound result
   */
  public record Verdict(
      int units,
      long weights,
      double squaredError,
      double squaredNorm,
      StatisticsFiles statistics,
      List<EngineException> problems) {
    public Verdict {
      problems = List.copyOf(problems);
    }

    public boolean isSound() {
      return problems.isEmpty();
    }

    /** sqrt(squaredError / squaredNorm); 0 without a source. */
    public double relativeError() {
      return squaredNorm > 0 ? Math.sqrt(squaredError / squaredNorm) : 0;
    }
  }

  /** The folder of statistics, which a finished result can do without. */
  public enum StatisticsFiles {
    /** The result was made without. */
    NONE,
    /** They are there, and were compared with the manifest. */
    CHECKED,
    /** Somebody deleted the folder. */
    NOT_THERE
  }

  private final Path folder;
  private final ResultLayout layout;
  private final @Nullable Checkpoint source;
  private final StopFlag stop;
  private final List<EngineException> problems = new ArrayList<>();
  private long weights;
  private double squaredError;
  private double squaredNorm;

  private ResultVerifier(Path folder, @Nullable Checkpoint source, StopFlag stop) {
    this.folder = folder;
    this.layout = new ResultLayout(folder);
    this.source = source;
    this.stop = stop;
  }

  /**
   * Throws only where it is stopped.
   *
   * @param source the checkpoint that the result was made from; null checks all but the errors
   * @param unitDone told of each unit's id when it was looked at
   */
  public static Verdict verify(
      Path folder, @Nullable Checkpoint source, StopFlag stop, Consumer<String> unitDone) {
    ResultVerifier verifier = new ResultVerifier(folder, source, stop);
    Manifest manifest;
    try {
      manifest = Manifest.read(folder);
    } catch (EngineException e) {
      return new Verdict(0, 0, 0, 0, StatisticsFiles.NONE, List.of(e));
    }
    Map<String, Manifest.TensorEntry> tensors = manifest.tensorsByName();
    for (Manifest.UnitEntry unit : manifest.units()) {
      stop.check();
      verifier.unit(manifest, tensors, unit);
      unitDone.accept(unit.id());
    }
    verifier.superfluous(manifest);
    manifest.sideFiles().forEach(verifier::sideFile);
    StatisticsFiles statistics = verifier.statistics(manifest.statistics());
    if (source != null) {
      verifier.source(manifest, source);
    }
    return new Verdict(
        manifest.units().size(),
        verifier.weights,
        verifier.squaredError,
        verifier.squaredNorm,
        statistics,
        verifier.problems);
  }

  private void unit(
      Manifest manifest, Map<String, Manifest.TensorEntry> tensors, Manifest.UnitEntry unit) {
    Path file = folder.resolve(unit.file());
    if (!fileIs(file, unit.bytes(), unit.sha256())) {
      return;
    }
    try (UnitFileReader reader = UnitFileReader.open(file)) {
      UnitAgreement.check(manifest, tensors, unit, reader);
      UnitProof.Against against =
          source == null
              ? new UnitProof.Against.Nothing()
              : new UnitProof.Against.Source(source, true);
      UnitProof.Outcome outcome = UnitProof.check(reader, against, stop);
      weights += outcome.weights();
      squaredError += outcome.squaredError();
      squaredNorm += outcome.squaredNorm();
      problems.addAll(outcome.problems());
    } catch (EngineException e) {
      problems.add(UnitProof.rethrowStop(e));
    }
  }

  /** A file with other bytes than the manifest says is not looked into any further. */
  private boolean fileIs(Path file, long bytes, String sha256) {
    Damage damage = new Damage(file);
    try {
      if (Files.size(file) != bytes) {
        problems.add(damage.of("has " + Files.size(file) + " bytes, the manifest says " + bytes));
        return false;
      }
      String found = Digests.file(file, stop);
      if (!found.equals(sha256)) {
        problems.add(damage.of("has SHA-256 " + found + ", the manifest says " + sha256));
        return false;
      }
      return true;
    } catch (NoSuchFileException e) {
      problems.add(damage.missing(e));
    } catch (IOException e) {
      problems.add(damage.of("cannot be read: " + e, e));
    } catch (EngineException e) {
      problems.add(UnitProof.rethrowStop(e));
    }
    return false;
  }

  private void sideFile(Manifest.SideFileEntry entry) {
    stop.check();
    fileIs(folder.resolve(entry.path()), entry.bytes(), entry.sha256());
  }

  private void superfluous(Manifest manifest) {
    Set<String> known =
        manifest.units().stream()
            .map(unit -> String.valueOf(layout.unit(unit.id()).getFileName()))
            .collect(Collectors.toCollection(TreeSet::new));
    superfluous(layout.units(), known, "is no unit of the manifest");
  }

  private StatisticsFiles statistics(Manifest.@Nullable Statistics statistics) {
    Path taken = layout.statistics();
    if (statistics == null) {
      superfluous(taken, Set.of(), "is no file of the manifest");
      return StatisticsFiles.NONE;
    }
    if (!Files.exists(taken)) {
      return StatisticsFiles.NOT_THERE;
    }
    statistics.files().forEach(this::sideFile);
    Set<String> known =
        statistics.files().stream()
            .flatMap(file -> ResultLayout.inStatistics(file.path()).stream())
            .collect(Collectors.toCollection(TreeSet::new));
    superfluous(taken, known, "is no file of the manifest");
    return StatisticsFiles.CHECKED;
  }

  private void superfluous(Path listed, Set<String> known, String what) {
    if (!Files.isDirectory(listed)) {
      return;
    }
    try (DirectoryStream<Path> files = Files.newDirectoryStream(listed)) {
      for (Path file : files) {
        if (!known.contains(String.valueOf(file.getFileName()))) {
          problems.add(new Damage(file).superfluous(what));
        }
      }
    } catch (IOException e) {
      problems.add(new Damage(listed).of("cannot be listed: " + e, e));
    }
  }

  private void source(Manifest manifest, Checkpoint checkpoint) {
    Set<String> expected = new TreeSet<>();
    checkpoint.tensors().forEach(tensor -> expected.add(tensor.name()));
    manifest.tensors().forEach(tensor -> expected.remove(tensor.name()));
    if (!expected.isEmpty()) {
      problems.add(
          new Damage(layout.manifest())
              .disagrees("lacks tensors of " + checkpoint.location() + ": " + expected));
    }
    if (!checkpoint.aliases().equals(manifest.aliases())) {
      problems.add(
          new Damage(layout.manifest())
              .disagrees(
                  "has the aliases "
                      + manifest.aliases()
                      + ", "
                      + checkpoint.location()
                      + " has "
                      + checkpoint.aliases()));
    }
  }
}

package io.cafeq.engine.output;

import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.checkpoint.DurableFile;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.FileFailure;
import io.cafeq.engine.plan.Unit;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** A job's output folder, locked until closed. Thread-safe. */
public final class OutputFolder implements AutoCloseable {
  private static final String OWN = ".cafeq";
  private static final String UNITS = "units";
  private static final String SUFFIX = ".arrow";
  private static final String PART = ".part";

  /** Of a unit's first file while a second one is made out of it. */
  private static final String ASIDE = ".first";

  private final Path root;
  private final FolderLock lock;

  private OutputFolder(Path root, FolderLock lock) {
    this.root = root;
    this.lock = lock;
  }

  /**
   * Creates and locks the folder, as {@link #open(Path)} does. Throws with kind USAGE as well where
   * it is, is in or holds {@code source}, a folder that exists.
   */
  public static OutputFolder open(Path requested, Path source) {
    requireApart(resolved(requested), resolved(source));
    return open(requested);
  }

  /**
   * Creates and locks the folder for a source that is on no disk of this machine. Throws with kind
   * USAGE where it holds files that are not ours, and where another run has it; ENVIRONMENT where
   * it cannot be written.
   */
  public static OutputFolder open(Path requested) {
    Path root = resolved(requested);
    requireOurs(root);
    try {
      Files.createDirectories(root.resolve(OWN));
      Files.createDirectories(root.resolve(UNITS));
    } catch (IOException e) {
      throw FileFailure.of("create", root, e);
    }
    FolderLock lock = FolderLock.take(root.resolve(OWN).resolve("lock"), root);
    try {
      deleteScratch(root.resolve(OWN));
      return new OutputFolder(root, lock);
    } catch (EngineException e) {
      lock.close();
      throw e;
    }
  }

  /**
   * A process that was killed leaves none where the system forgets open files without a name,
   * elsewhere it may.
   */
  private static void deleteScratch(Path own) {
    try (DirectoryStream<Path> files = Files.newDirectoryStream(own, "*.scratch")) {
      for (Path file : files) {
        Files.delete(file);
      }
    } catch (IOException e) {
      throw FileFailure.of("clean", own, e);
    }
  }

  /** Real path. */
  public Path root() {
    return root;
  }

  /** Where the unit's finished file lies or will lie. */
  public Path unitFile(Unit unit) {
    return root.resolve(UNITS).resolve(unit.id() + SUFFIX);
  }

  /** What the folder's units were made from; empty in a fresh folder. */
  public Optional<ResultIdentity> earlierIdentity() {
    return IdentityFile.read(identityFile());
  }

  /**
   * Throws with kind USAGE, naming every difference, unless the folder is fresh or was made from
   * {@code asked}.
   */
  public void requireSame(ResultIdentity asked) {
    earlierIdentity()
        .ifPresent(
            earlier -> {
              List<String> differences = earlier.differences(asked);
              if (!differences.isEmpty()) {
                throw different(differences);
              }
            });
  }

  /** The refusal to mix results of different recipes or sources. */
  public EngineException different(List<String> differences) {
    return new EngineException(
        FailureKind.USAGE,
        root
            + " holds "
            + (hasManifest() ? "a complete" : "an unfinished")
            + " result of something else. "
            + String.join("; ", differences),
        "Run again with --out and another folder, or with the recipe and the source of this one.");
  }

  public boolean hasManifest() {
    return Files.exists(root.resolve(Manifest.FILE));
  }

  /**
   * Puts down what the units will be made from, and takes its name from a complete result of which
   * a part is to be made again. To be called before the first unit is written.
   */
  public void begin(ResultIdentity identity) {
    if (earlierIdentity().isEmpty()) {
      IdentityFile.write(identityFile(), identity);
    }
    try {
      if (Files.deleteIfExists(root.resolve(Manifest.FILE))) {
        // the deletion must be on disk before the first unit of the result is replaced
        DurableFile.syncFolder(root);
      }
    } catch (IOException e) {
      throw FileFailure.of("write", root.resolve(Manifest.FILE), e);
    }
  }

  /**
   * Removes what an interrupted run left of the planned units. Throws with kind USAGE where {@code
   * units/} holds a file that no planned unit explains: it is not ours to delete, and a reader of
   * the folder would take it for a part of the result.
   */
  public void cleanUnits(List<Unit> planned) {
    Set<String> finished = new HashSet<>();
    Set<String> parts = new HashSet<>();
    for (Unit unit : planned) {
      finished.add(unit.id() + SUFFIX);
      parts.add(unit.id() + SUFFIX + PART);
      parts.add(unit.id() + SUFFIX + ASIDE + PART);
    }
    List<String> unknown = new ArrayList<>();
    try (DirectoryStream<Path> files = Files.newDirectoryStream(root.resolve(UNITS))) {
      for (Path file : files) {
        String name = file.getFileName().toString();
        if (parts.contains(name)) {
          Files.delete(file);
        } else if (!finished.contains(name)) {
          unknown.add(name);
        }
      }
    } catch (IOException e) {
      throw FileFailure.of("clean", root.resolve(UNITS), e);
    }
    if (!unknown.isEmpty()) {
      throw new EngineException(
          FailureKind.USAGE,
          root.resolve(UNITS)
              + " holds files that are no unit of this plan: "
              + some(unknown.stream().sorted().toList()),
          "Move them elsewhere, or choose another folder with --out.");
    }
  }

  /** Lets the next run in. */
  @Override
  public void close() {
    lock.close();
  }

  /** Where what was measured and chosen for the job is kept, if anything was. */
  public Path planFile() {
    return root.resolve(OWN).resolve("plan.json");
  }

  /** Where files may lie that nobody needs once the job's process has ended. */
  public Path scratch() {
    return root.resolve(OWN);
  }

  private Path identityFile() {
    return root.resolve(OWN).resolve(IdentityFile.NAME);
  }

  /** The real path of what exists of it, and the rest as asked for. */
  private static Path resolved(Path path) {
    Path absolute = path.toAbsolutePath().normalize();
    for (Path at = absolute; at != null; at = at.getParent()) {
      if (Files.exists(at)) {
        try {
          return at.toRealPath().resolve(at.relativize(absolute)).normalize();
        } catch (IOException e) {
          throw FileFailure.of("read", at, e);
        }
      }
    }
    return absolute;
  }

  private static void requireApart(Path root, Path source) {
    if (root.startsWith(source) || source.startsWith(root)) {
      String how = root.equals(source) ? "is" : root.startsWith(source) ? "lies in" : "holds";
      throw new EngineException(
          FailureKind.USAGE,
          "the output folder " + root + " " + how + " the checkpoint's folder " + source,
          "Choose a folder with --out that lies beside the checkpoint, not in or above it.");
    }
  }

  private static void requireOurs(Path root) {
    if (!Files.exists(root) || Files.isDirectory(root.resolve(OWN))) {
      return;
    }
    if (!Files.isDirectory(root)) {
      throw new EngineException(
          FailureKind.USAGE,
          root + " is a file, not a folder",
          "Choose another folder with --out.");
    }
    List<String> names = new ArrayList<>();
    try (DirectoryStream<Path> files = Files.newDirectoryStream(root)) {
      files.forEach(file -> names.add(file.getFileName().toString()));
    } catch (IOException e) {
      throw FileFailure.of("read", root, e);
    }
    if (!names.isEmpty()) {
      throw new EngineException(
          FailureKind.USAGE,
          root
              + " is not empty and was not made by cafeq quantize: it holds "
              + some(names.stream().sorted().toList()),
          "Choose an empty or a new folder with --out.");
    }
  }

  private static String some(List<String> names) {
    return names.size() <= 5
        ? String.join(", ", names)
        : String.join(", ", names.subList(0, 5)) + " and " + (names.size() - 5) + " more";
  }
}

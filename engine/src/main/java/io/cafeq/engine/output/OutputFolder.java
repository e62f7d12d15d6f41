package io.cafeq.engine.output;

import io.cafeq.engine.checkpoint.DurableFile;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.FileFailure;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.result.ResultLayout;
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
  private final ResultLayout layout;
  private final FolderLock lock;

  private OutputFolder(ResultLayout layout, FolderLock lock) {
    this.layout = layout;
    this.lock = lock;
  }

  /**
   * Creates and locks the folder, as {@link #open(Path, FolderLocks)} does. Throws with kind USAGE
   * as well where it is, is in or holds {@code source}, a folder that exists.
   */
  public static OutputFolder open(Path requested, Path source, FolderLocks locks) {
    requireApart(resolved(requested), resolved(source));
    return open(requested, locks);
  }

  /**
   * Creates and locks the folder for a source that is not on this machine. Throws with kind USAGE
   * where it holds files that are not ours, and where another run has it; ENVIRONMENT where it
   * cannot be written.
   *
   * @param locks those of this process
   */
  public static OutputFolder open(Path requested, FolderLocks locks) {
    ResultLayout layout = new ResultLayout(resolved(requested));
    requireOurs(layout);
    try {
      Files.createDirectories(layout.own());
      Files.createDirectories(layout.units());
    } catch (IOException e) {
      throw FileFailure.of("create", layout.root(), e);
    }
    FolderLock lock = locks.take(layout);
    try {
      deleteScratch(layout.own());
      return new OutputFolder(layout, lock);
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
    try (DirectoryStream<Path> files = Files.newDirectoryStream(own, ResultLayout::isScratch)) {
      for (Path file : files) {
        Files.delete(file);
      }
    } catch (IOException e) {
      throw FileFailure.of("clean", own, e);
    }
  }

  /** Real path. */
  public Path root() {
    return layout.root();
  }

  /** Where the unit's finished file is, or will be. */
  public Path unitFile(Unit unit) {
    return layout.unit(unit.id());
  }

  /** What the folder's units were made from; empty in a fresh folder. */
  public Optional<ResultIdentity> earlierIdentity() {
    return IdentityFile.read(layout.identity());
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
        layout.root()
            + " holds "
            + (hasManifest() ? "a complete" : "an unfinished")
            + " result of something else. "
            + String.join("; ", differences),
        "Run again with --out and another folder, or with the recipe and the source of this one.");
  }

  public boolean hasManifest() {
    return Files.exists(layout.manifest());
  }

  /**
   * Puts down what the units will be made from, and takes its name from a complete result of which
   * a part is to be made again. To be called before the first unit is written.
   */
  public void begin(ResultIdentity identity) {
    if (earlierIdentity().isEmpty()) {
      IdentityFile.write(layout.identity(), identity);
    }
    try {
      if (Files.deleteIfExists(layout.manifest())) {
        // the deletion must be on disk before the first unit of the result is replaced
        DurableFile.syncFolder(layout.root());
      }
    } catch (IOException e) {
      throw FileFailure.of("write", layout.manifest(), e);
    }
  }

  /**
   * Removes what an interrupted run left of the planned units. Throws with kind USAGE where {@code
   * units/} holds a file that no planned unit explains: it is not ours to delete, and a reader of
   * the folder would take it for a part of the result.
   */
  public void cleanUnits(List<Unit> planned) {
    Set<Path> finished = new HashSet<>();
    Set<Path> parts = new HashSet<>();
    for (Unit unit : planned) {
      finished.add(layout.unit(unit.id()));
      parts.add(ResultLayout.part(layout.unit(unit.id())));
      parts.add(layout.unitAside(unit.id()));
    }
    List<String> unknown = new ArrayList<>();
    try (DirectoryStream<Path> files = Files.newDirectoryStream(layout.units())) {
      for (Path file : files) {
        if (parts.contains(file)) {
          Files.delete(file);
        } else if (!finished.contains(file)) {
          unknown.add(String.valueOf(file.getFileName()));
        }
      }
    } catch (IOException e) {
      throw FileFailure.of("clean", layout.units(), e);
    }
    if (!unknown.isEmpty()) {
      throw new EngineException(
          FailureKind.USAGE,
          layout.units()
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
    return layout.plan();
  }

  /** Where files may be that nobody needs once the job's process has ended. */
  public Path scratch() {
    return layout.own();
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
      String how = root.equals(source) ? "is" : root.startsWith(source) ? "is inside" : "contains";
      throw new EngineException(
          FailureKind.USAGE,
          "the output folder " + root + " " + how + " the checkpoint's folder " + source,
          "Choose a folder with --out that lies beside the checkpoint, not in or above it.");
    }
  }

  private static void requireOurs(ResultLayout layout) {
    Path root = layout.root();
    if (!Files.exists(root) || Files.isDirectory(layout.own())) {
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

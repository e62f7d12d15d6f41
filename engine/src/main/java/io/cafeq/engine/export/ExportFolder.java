package io.cafeq.engine.export;

import io.cafeq.engine.checkpoint.DurableFile;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * A folder that appears under its name only once it is complete: written beside it with {@code
 * .export-part} appended, then renamed. Closing without {@link #publish} removes what was written;
 * what a killed run left is removed by the next.
 */
final class ExportFolder implements AutoCloseable {
  private static final String SUFFIX = ".export-part";

  private final Path target;
  private final Path part;
  private boolean published;

  private ExportFolder(Path target, Path part) {
    this.target = target;
    this.part = part;
  }

  /** USAGE where the target exists and is not empty, or is in or above the result. */
  static ExportFolder create(Path requested, Path result) {
    Path target = real(requested);
    Path source = real(result);
    if (target.startsWith(source) || source.startsWith(target)) {
      throw new EngineException(
          FailureKind.USAGE,
          "the export folder " + target + " and the result " + source + " lie in one another",
          "Choose a folder outside the result.");
    }
    try {
      if (Files.exists(target) && !isEmptyFolder(target)) {
        throw new EngineException(
            FailureKind.USAGE,
            target + " exists and is not empty",
            "Choose another folder, or delete this one.");
      }
      Path part = target.resolveSibling(target.getFileName() + SUFFIX);
      deleteAll(part);
      Files.createDirectories(part);
      return new ExportFolder(target, part);
    } catch (IOException e) {
      throw failed(target, e);
    }
  }

  /** Where to write. */
  Path path() {
    return part;
  }

  /** Gives the folder its name. */
  void publish() {
    try {
      Files.move(part, target, StandardCopyOption.ATOMIC_MOVE);
      published = true;
      DurableFile.syncFolder(Objects.requireNonNull(target.getParent()));
    } catch (IOException e) {
      throw failed(target, e);
    }
  }

  @Override
  public void close() {
    if (!published) {
      try {
        deleteAll(part);
      } catch (IOException e) {
        throw failed(part, e);
      }
    }
  }

  /** The suffix is ours: whatever is there is half an export. */
  private static void deleteAll(Path folder) throws IOException {
    if (!Files.exists(folder)) {
      return;
    }
    List<Path> all;
    try (Stream<Path> files = Files.walk(folder)) {
      all = files.sorted(Comparator.reverseOrder()).toList();
    }
    for (Path file : all) {
      Files.delete(file);
    }
  }

  private static boolean isEmptyFolder(Path path) throws IOException {
    if (!Files.isDirectory(path)) {
      return false;
    }
    try (Stream<Path> files = Files.list(path)) {
      return files.findAny().isEmpty();
    }
  }

  /** With links resolved as far as the path exists. */
  private static Path real(Path path) {
    Path absolute = path.toAbsolutePath().normalize();
    for (Path existing = absolute; existing != null; existing = existing.getParent()) {
      if (Files.exists(existing)) {
        try {
          return existing.toRealPath().resolve(existing.relativize(absolute)).normalize();
        } catch (IOException e) {
          throw failed(existing, e);
        }
      }
    }
    return absolute;
  }

  static EngineException failed(Path path, IOException cause) {
    return new EngineException(
        FailureKind.ENVIRONMENT,
        path + ": " + cause,
        "Check that the disk has room and that the folder may be written, then export again.",
        cause);
  }
}

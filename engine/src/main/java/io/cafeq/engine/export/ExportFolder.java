package io.cafeq.engine.export;

import com.fasterxml.jackson.core.JsonProcessingException;
import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.checkpoint.Digests;
import io.cafeq.engine.checkpoint.DurableFile;
import io.cafeq.engine.checkpoint.LeftOut;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.ArrayList;
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
  private static final int PIECE = 1 << 18;

  private final Path target;
  private final Path part;
  private boolean published;

  private ExportFolder(Path target, Path part) {
    this.target = target;
    this.part = part;
  }

  /** USAGE where the target exists and is not empty, or lies in or above the result. */
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

  /** Copies a side file; kind RESULT where it is not the one that the manifest speaks of. */
  void copy(Path from, Manifest.SideFileEntry entry) {
    Path to = part.resolve(entry.path());
    MessageDigest digest = Digests.sha256();
    try {
      Files.createDirectories(Objects.requireNonNull(to.getParent()));
      try (FileChannel in = FileChannel.open(from, StandardOpenOption.READ);
          DurableFile out = DurableFile.create(to)) {
        ByteBuffer piece = ByteBuffer.allocateDirect(PIECE);
        while (in.read(piece.clear()) >= 0) {
          digest.update(piece.flip());
          out.append(piece.rewind());
        }
        check(from, digest, entry);
        out.publish();
      }
    } catch (IOException e) {
      throw failed(from, e);
    }
  }

  /**
   * As {@link #copy}, of a file that describes a model, as {@link DenseConfig} makes it; what is no
   * JSON is copied as it is.
   *
   * @return what was changed
   */
  List<LeftBehind> copyConfig(Path from, Manifest.SideFileEntry entry) {
    try {
      byte[] config = Files.readAllBytes(from);
      MessageDigest digest = Digests.sha256();
      digest.update(config);
      check(from, digest, entry);
      Path to = part.resolve(entry.path());
      Files.createDirectories(Objects.requireNonNull(to.getParent()));
      DenseConfig.Cleaned cleaned = cleaned(config);
      DurableFile.write(to, cleaned.bytes());
      List<LeftBehind> changes = new ArrayList<>();
      cleaned
          .removed()
          .forEach(
              field ->
                  changes.add(
                      new LeftBehind(
                          entry.path() + ": " + field, LeftOut.Reason.QUANTIZATION.text())));
      cleaned
          .retyped()
          .forEach(
              field ->
                  changes.add(
                      new LeftBehind(
                          entry.path() + ": " + field, "names BF16, which the weights are now")));
      return changes;
    } catch (IOException e) {
      throw failed(from, e);
    }
  }

  private static DenseConfig.Cleaned cleaned(byte[] config) throws IOException {
    try {
      return DenseConfig.of(config);
    } catch (JsonProcessingException noJson) {
      return new DenseConfig.Cleaned(config, List.of(), List.of());
    }
  }

  private static void check(Path from, MessageDigest digest, Manifest.SideFileEntry entry) {
    if (!Digests.hex(digest).equals(entry.sha256())) {
      throw new EngineException(
          FailureKind.RESULT,
          from
              + " is not the file that the manifest speaks of: its SHA-256 should be "
              + entry.sha256(),
          "Copy it again from the checkpoint, or run the same quantize command again.");
    }
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

  /** The suffix is ours: whatever lies there is half an export. */
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

  private static EngineException failed(Path path, IOException cause) {
    return new EngineException(
        FailureKind.ENVIRONMENT,
        path + ": " + cause,
        "Check that the disk has room and that the folder may be written, then export again.",
        cause);
  }
}

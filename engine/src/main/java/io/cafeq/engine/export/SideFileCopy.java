package io.cafeq.engine.export;

import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.block.ResultReader;
import io.cafeq.engine.checkpoint.Digests;
import io.cafeq.engine.checkpoint.DurableFile;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.Objects;

/**
 * Takes a result's side files into an export. Kind RESULT where a file is not the one that the
 * manifest names, ENVIRONMENT where the disk fails.
 */
public final class SideFileCopy {
  private static final int PIECE = 1 << 18;

  private SideFileCopy() {}

  /** Copies a file to the same path below {@code folder}. */
  public static void copy(ResultReader result, Manifest.SideFileEntry entry, Path folder) {
    Path from = result.folder().resolve(entry.path());
    MessageDigest digest = Digests.sha256();
    try (FileChannel in = FileChannel.open(from, StandardOpenOption.READ);
        DurableFile out = create(folder, entry.path())) {
      ByteBuffer piece = ByteBuffer.allocateDirect(PIECE);
      while (in.read(piece.clear()) >= 0) {
        digest.update(piece.flip());
        out.append(piece.rewind());
      }
      check(from, digest, entry);
      out.publish();
    } catch (IOException e) {
      throw ExportFolder.failed(from, e);
    }
  }

  /** The whole of a file whose size the caller has looked at. */
  public static byte[] read(ResultReader result, Manifest.SideFileEntry entry) {
    Path from = result.folder().resolve(entry.path());
    try {
      byte[] content = Files.readAllBytes(from);
      MessageDigest digest = Digests.sha256();
      digest.update(content);
      check(from, digest, entry);
      return content;
    } catch (IOException e) {
      throw ExportFolder.failed(from, e);
    }
  }

  /** Writes a file that takes the place of a side file, at its path below {@code folder}. */
  public static void write(Path folder, String path, byte[] content) {
    try (DurableFile out = create(folder, path)) {
      out.append(ByteBuffer.wrap(content));
      out.publish();
    } catch (IOException e) {
      throw ExportFolder.failed(folder.resolve(path), e);
    }
  }

  private static DurableFile create(Path folder, String path) throws IOException {
    Path to = folder.resolve(path);
    Files.createDirectories(Objects.requireNonNull(to.getParent()));
    return DurableFile.create(to);
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
}

package io.cafeq.engine.output;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/** Files that are there whole or not at all: written under another name, synced, renamed, the folder synced. */
public final class WholeFile {
  /** What an unfinished file's name ends in. */
  public static final String PART = ".part";

  private WholeFile() {}

  /** Replaces {@code file}. Throws with kind ENVIRONMENT. */
  public static void write(Path file, byte[] bytes) {
    Path part = part(file);
    try {
      try (FileChannel channel =
          FileChannel.open(
              part, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE)) {
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        while (buffer.hasRemaining()) {
          channel.write(buffer);
        }
        channel.force(true);
      }
      publish(part, file);
    } catch (IOException e) {
      deleteQuietly(part);
      throw FileFailure.of("write", file, e);
    }
  }

  /** Where the bytes of {@code file} go until they are complete. */
  static Path part(Path file) {
    return file.resolveSibling(file.getFileName() + PART);
  }

  /** Gives a synced part its final name, for good. */
  static void publish(Path part, Path file) throws IOException {
    Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    Path folder = file.toAbsolutePath().getParent();
    if (folder != null) {
      syncFolder(folder);
    }
  }

  /** A rename is lasting only once its folder is on disk too. */
  static void syncFolder(Path folder) throws IOException {
    try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
      channel.force(true);
    }
  }

  static void deleteQuietly(Path file) {
    try {
      Files.deleteIfExists(file);
    } catch (IOException e) {
      // the failure that led here is the one to report; a left-over part is removed by the next run
    }
  }
}

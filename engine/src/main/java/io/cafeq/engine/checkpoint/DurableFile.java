package io.cafeq.engine.checkpoint;

import io.cafeq.engine.failure.FileFailure;
import io.cafeq.engine.result.ResultLayout;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Objects;

/**
 * A file that appears under its name only once it is complete and safe on disk: written beside it
 * with {@code .part} appended, synced, renamed, the folder synced. Not thread-safe. Closing without
 * {@link #publish} removes what was written. Failures are EngineExceptions of kind ENVIRONMENT, or
 * STOPPED where the thread was interrupted.
 */
public final class DurableFile implements AutoCloseable {
  private static final long LARGEST_WRITE = 1L << 30;

  private final Path target;
  private final Path part;
  private final FileChannel channel;
  private boolean published;

  private DurableFile(Path target, Path part, FileChannel channel) {
    this.target = target;
    this.part = part;
    this.channel = channel;
  }

  /** Begins the file; one left behind by a run that was killed is begun again. */
  public static DurableFile create(Path target) {
    Path absolute = target.toAbsolutePath();
    Path part = ResultLayout.part(absolute);
    try {
      return new DurableFile(
          absolute,
          part,
          FileChannel.open(
              part,
              StandardOpenOption.CREATE,
              StandardOpenOption.TRUNCATE_EXISTING,
              StandardOpenOption.WRITE));
    } catch (IOException e) {
      throw FileFailure.of("write", absolute, e);
    }
  }

  /** The whole of a small file. */
  public static void write(Path target, byte[] content) {
    try (DurableFile file = create(target)) {
      file.append(ByteBuffer.wrap(content));
      file.publish();
    }
  }

  /** Adds a native segment of any size. */
  public void append(MemorySegment bytes) {
    for (long done = 0; done < bytes.byteSize(); done += LARGEST_WRITE) {
      append(bytes.asSlice(done, Math.min(LARGEST_WRITE, bytes.byteSize() - done)).asByteBuffer());
    }
  }

  /** Adds what remains in the buffer. */
  public void append(ByteBuffer bytes) {
    try {
      while (bytes.hasRemaining()) {
        channel.write(bytes);
      }
    } catch (IOException e) {
      throw FileFailure.of("write", target, e);
    }
  }

  /** Syncs and renames. */
  public void publish() {
    try {
      channel.force(true);
      channel.close();
      Files.move(part, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      published = true;
      syncFolder(Objects.requireNonNull(target.getParent()));
    } catch (IOException e) {
      throw FileFailure.of("write", target, e);
    }
  }

  /** A rename or a deletion survives a power cut only once the folder itself is synced. */
  public static void syncFolder(Path folder) throws IOException {
    try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
      channel.force(true);
    }
  }

  @Override
  public void close() {
    if (!published) {
      try {
        channel.close();
        Files.deleteIfExists(part);
      } catch (IOException e) {
        throw FileFailure.of("write", target, e);
      }
    }
  }
}

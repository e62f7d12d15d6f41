package io.cafeq.engine.output;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import java.io.IOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import org.jspecify.annotations.Nullable;

/**
 * The lock on an output folder, held through a file that says who holds it. The system lets go of it when the process ends,
 * however that happens. Closing empties the file, so that a finished folder holds no host and no time.
 */
final class FolderLock implements AutoCloseable {
  private final FileChannel channel;

  private FolderLock(FileChannel channel) {
    this.channel = channel;
  }

  /** Throws with kind USAGE and the holder's name where another run has it. */
  static FolderLock take(Path file, Path folder) {
    FileChannel channel = null;
    try {
      channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
      if (tryLock(channel) == null) {
        channel.close();
        throw held(file, folder);
      }
      ByteBuffer holder = ByteBuffer.wrap(holder().getBytes(StandardCharsets.UTF_8));
      channel.truncate(0);
      while (holder.hasRemaining()) {
        channel.write(holder);
      }
      channel.force(true);
      return new FolderLock(channel);
    } catch (IOException e) {
      closeQuietly(channel);
      throw FileFailure.of("write", file, e);
    }
  }

  @Override
  public void close() {
    try {
      channel.truncate(0);
    } catch (IOException e) {
      // a stale name in the file misleads nobody: it is read only while the lock is held
    } finally {
      closeQuietly(channel);
    }
  }

  private static @Nullable FileLock tryLock(FileChannel channel) throws IOException {
    try {
      return channel.tryLock();
    } catch (OverlappingFileLockException e) {
      return null; // another job of this very process
    }
  }

  private static EngineException held(Path file, Path folder) {
    String holder;
    try {
      holder = Files.readString(file).strip();
    } catch (IOException e) {
      holder = "";
    }
    return new EngineException(
        FailureKind.USAGE,
        "another run is writing to " + folder + (holder.isEmpty() ? "" : ": " + holder),
        "Wait until it ends, stop it, or choose another folder with --out.");
  }

  private static String holder() {
    return "process " + ProcessHandle.current().pid() + " on " + host() + ", started "
        + ProcessHandle.current().info().startInstant().orElse(Instant.now()).truncatedTo(ChronoUnit.SECONDS) + "\n";
  }

  private static String host() {
    try {
      return InetAddress.getLocalHost().getHostName();
    } catch (UnknownHostException e) {
      return "this machine";
    }
  }

  private static void closeQuietly(@Nullable FileChannel channel) {
    if (channel != null) {
      try {
        channel.close();
      } catch (IOException e) {
        // nothing was written through it that anybody relies on
      }
    }
  }
}

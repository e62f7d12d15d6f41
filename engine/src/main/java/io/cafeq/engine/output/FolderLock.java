package io.cafeq.engine.output;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.FileFailure;
import java.io.IOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * The lock on an output folder, held through a file that says who holds it. The system lets go of
 * it when the process ends, however that happens. Closing empties the file, so that a finished
 * folder holds no host and no time.
 */
final class FolderLock implements AutoCloseable {
  /**
   * The files locked by this process. POSIX locks belong to the process: opening and closing a
   * locked file a second time would let go of it, so a second job of this process must find out
   * without touching the file.
   */
  private static final Set<Path> HELD_HERE = ConcurrentHashMap.newKeySet();

  private final Path file;
  private final FileChannel channel;

  private FolderLock(Path file, FileChannel channel) {
    this.file = file;
    this.channel = channel;
  }

  /** Throws with kind USAGE and the holder's name where another run has it. */
  static FolderLock take(Path file, Path folder) {
    if (!HELD_HERE.add(file)) {
      throw held(folder, "another job of this process");
    }
    FileChannel channel = null;
    boolean taken = false;
    try {
      channel =
          FileChannel.open(
              file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
      if (channel.tryLock() == null) {
        throw held(folder, Files.readString(file).strip());
      }
      ByteBuffer holder = ByteBuffer.wrap(holder().getBytes(StandardCharsets.UTF_8));
      channel.truncate(0);
      while (holder.hasRemaining()) {
        channel.write(holder);
      }
      channel.force(true);
      taken = true;
      return new FolderLock(file, channel);
    } catch (IOException e) {
      throw FileFailure.of("write", file, e);
    } finally {
      if (!taken) {
        release(file, channel);
      }
    }
  }

  @Override
  public void close() {
    try {
      channel.truncate(0);
    } catch (IOException e) {
      // a stale name in the file misleads nobody: it is read only while the lock is held
    } finally {
      release(file, channel);
    }
  }

  private static EngineException held(Path folder, String holder) {
    return new EngineException(
        FailureKind.USAGE,
        "another run is writing to " + folder + (holder.isEmpty() ? "" : ": " + holder),
        "Wait until it ends, stop it, or choose another folder with --out.");
  }

  private static String holder() {
    return "process "
        + ProcessHandle.current().pid()
        + " on "
        + host()
        + ", started "
        + ProcessHandle.current()
            .info()
            .startInstant()
            .orElse(Instant.now())
            .truncatedTo(ChronoUnit.SECONDS)
        + "\n";
  }

  private static String host() {
    try {
      return InetAddress.getLocalHost().getHostName();
    } catch (UnknownHostException e) {
      return "this machine";
    }
  }

  private static void release(Path file, @Nullable FileChannel channel) {
    try {
      if (channel != null) {
        channel.close();
      }
    } catch (IOException e) {
      // nothing was written through it that anybody relies on
    } finally {
      HELD_HERE.remove(file);
    }
  }
}

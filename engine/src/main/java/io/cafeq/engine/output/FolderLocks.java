package io.cafeq.engine.output;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.FileFailure;
import io.cafeq.engine.result.ResultLayout;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * The output folders that jobs of this process hold. One per process, owned by its host: POSIX
 * locks belong to the process, and opening and closing a locked file a second time would release
 * its lock, so a second job must find out without touching the file. Thread-safe.
 */
public final class FolderLocks {
  private static final String THIS_PROCESS = "another job of this process";

  private final Set<Path> held = ConcurrentHashMap.newKeySet();

  /** Throws with kind USAGE and the holder's name where another run has the folder. */
  FolderLock take(ResultLayout layout) {
    Path file = layout.lock();
    if (!held.add(file)) {
      throw held(layout, THIS_PROCESS);
    }
    FileChannel channel = null;
    boolean taken = false;
    try {
      channel =
          FileChannel.open(
              file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
      if (channel.tryLock() == null) {
        throw held(layout, Files.readString(file).strip());
      }
      FolderLock lock = FolderLock.of(channel, () -> held.remove(file));
      taken = true;
      return lock;
    } catch (OverlappingFileLockException e) {
      throw held(layout, THIS_PROCESS);
    } catch (IOException e) {
      throw FileFailure.of("write", file, e);
    } finally {
      if (!taken) {
        close(channel);
        held.remove(file);
      }
    }
  }

  private static void close(@Nullable FileChannel channel) {
    try {
      if (channel != null) {
        channel.close();
      }
    } catch (IOException e) {
      // the failure that led here says more
    }
  }

  private static EngineException held(ResultLayout layout, String holder) {
    return new EngineException(
        FailureKind.USAGE,
        "another run is writing to " + layout.root() + (holder.isEmpty() ? "" : ": " + holder),
        "Wait until it ends, stop it, or choose another folder with --out.");
  }
}

package io.cafeq.engine.output;

import java.io.IOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.temporal.ChronoUnit;

/**
 * The lock on an output folder, held through a file that names the holder. The system releases it
 * when the process ends, however that happens. Closing empties the file, so that a finished folder
 * holds no host and no time.
 */
final class FolderLock implements AutoCloseable {
  private final FileChannel channel;
  private final Runnable released;

  private FolderLock(FileChannel channel, Runnable released) {
    this.channel = channel;
    this.released = released;
  }

  /**
   * Writes this process's name into the file.
   *
   * @param channel of the file, which is locked
   */
  static FolderLock of(FileChannel channel, Runnable released) throws IOException {
    ByteBuffer holder = ByteBuffer.wrap(holder().getBytes(StandardCharsets.UTF_8));
    channel.truncate(0);
    while (holder.hasRemaining()) {
      channel.write(holder);
    }
    channel.force(true);
    return new FolderLock(channel, released);
  }

  @Override
  public void close() {
    try (channel) {
      channel.truncate(0);
    } catch (IOException e) {
      // A stale name misleads nobody, since it is read only while the lock is held.
    } finally {
      released.run();
    }
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
}

package io.cafeq.engine.store;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;

/**
 * A file on disk. It stays open, so a file that is replaced by a rename meanwhile still reads as it
 * was opened.
 *
 * <p>A thread that is interrupted while it reads closes the channel for all. That thread fails with
 * kind STOPPED; the others open the file again, once it is the one that it was.
 */
final class FileSource implements ByteSource {
  private static final String RENEW =
      "Copy or download the file again, and leave it alone while a run goes on.";
  private static final String MISSING = "Download or copy the missing file.";

  /** The kernel reads no more at once. */
  private static final int LARGEST_READ = 1 << 30;

  private final Path path;
  private final long size;
  private final String fingerprint;
  private volatile FileChannel channel;
  private volatile boolean closed;

  private FileSource(Path path, FileChannel channel, long size, String fingerprint) {
    this.path = path;
    this.channel = channel;
    this.size = size;
    this.fingerprint = fingerprint;
  }

  /** Opens the file, through links. */
  static FileSource open(Path path) {
    try {
      if (!Files.exists(path)) {
        throw StoreException.checkpoint(path.toString(), "no such file", MISSING);
      }
      if (!Files.isRegularFile(path)) {
        throw StoreException.checkpoint(
            path.toString(),
            "expected a file, found something else",
            "Download or copy the file again.");
      }
      FileChannel channel = FileChannel.open(path, StandardOpenOption.READ);
      return new FileSource(path, channel, channel.size(), fingerprint(path));
    } catch (IOException e) {
      throw failed(path, "cannot be opened", e);
    }
  }

  @Override
  public String place() {
    return path.toString();
  }

  @Override
  public long size() {
    return size;
  }

  @Override
  public void read(long position, ByteBuffer target) {
    long at = position;
    while (target.hasRemaining()) {
      at += readSome(at, target);
    }
  }

  private int readSome(long position, ByteBuffer target) {
    int limit = target.limit();
    while (true) {
      FileChannel current = channel;
      try {
        target.limit(Math.min(limit, target.position() + LARGEST_READ));
        int count = current.read(target, position);
        if (count <= 0) {
          throw StoreException.checkpoint(
              path.toString(),
              "the file ended at byte "
                  + current.size()
                  + ", it had "
                  + size
                  + " bytes when it was checked",
              RENEW);
        }
        return count;
      } catch (ClosedByInterruptException e) {
        throw StoreException.interrupted(path.toString(), e);
      } catch (ClosedChannelException e) {
        reopen(current, e);
      } catch (IOException e) {
        throw failed(path, "cannot be read", e);
      } finally {
        target.limit(limit);
      }
    }
  }

  private synchronized void reopen(FileChannel seen, ClosedChannelException cause) {
    if (closed) {
      throw new IllegalStateException(path + " was closed", cause);
    }
    if (channel != seen) {
      return;
    }
    try {
      FileChannel opened = FileChannel.open(path, StandardOpenOption.READ);
      channel = opened;
      if (opened.size() != size) {
        throw StoreException.checkpoint(
            path.toString(),
            "expected " + size + " bytes, found " + opened.size() + ": the file was changed",
            RENEW);
      }
      if (!fingerprint(path).equals(fingerprint)) {
        throw StoreException.checkpoint(path.toString(), "the file was changed", RENEW);
      }
    } catch (IOException e) {
      throw failed(path, "cannot be opened again", e);
    }
  }

  private static String fingerprint(Path path) throws IOException {
    return FolderStore.fingerprint(Files.readAttributes(path, BasicFileAttributes.class));
  }

  private static StoreException failed(Path path, String what, IOException cause) {
    if (cause instanceof NoSuchFileException) {
      return StoreException.checkpoint(path.toString(), "no such file", MISSING);
    }
    String message = cause.getMessage();
    return StoreException.environment(
        path.toString(),
        what
            + ": "
            + cause.getClass().getSimpleName()
            + (message == null ? "" : " (" + message + ")"),
        "Check the disk, the permissions and the number of open files allowed, then run the same"
            + " command again.",
        cause);
  }

  @Override
  public synchronized void close() {
    closed = true;
    try {
      channel.close();
    } catch (IOException e) {
      throw failed(path, "cannot be closed", e);
    }
  }
}

package io.cafeq.engine.checkpoint;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Objects;

/**
 * One file, open for positioned reads by any number of threads. It stays open, so a file that is
 * replaced by a rename meanwhile still reads as it was checked.
 *
 * <p>A thread that is interrupted while it reads closes the channel for all. That thread fails with
 * kind STOPPED; the others open the file again, once its length is what it was.
 */
final class ShardFile implements AutoCloseable {
  private static final String RENEW =
      "Copy or download the file again, and leave it alone while a run goes on.";

  /** A buffer holds less than 2 GiB; the kernel too reads no more at once. */
  private static final long LARGEST_READ = 1L << 30;

  private final Path path;
  private final long length;
  private volatile FileChannel channel;
  private volatile boolean closed;

  private ShardFile(Path path, FileChannel channel, long length) {
    this.path = path;
    this.channel = channel;
    this.length = length;
  }

  /** Opens the file, through links. */
  static ShardFile open(Path path) {
    try {
      CheckpointFiles.refuseLinkToNothing(path);
      if (!Files.exists(path)) {
        throw new CheckpointException(
            path + ": no such file", "Download or copy the missing file.");
      }
      if (!Files.isRegularFile(path)) {
        throw new CheckpointException(
            path + ": expected a file, found something else", "Download or copy the file again.");
      }
      FileChannel channel = FileChannel.open(path, StandardOpenOption.READ);
      return new ShardFile(path, channel, channel.size());
    } catch (IOException e) {
      throw failed(path, "cannot be opened", e);
    }
  }

  Path path() {
    return path;
  }

  /** The file's name in its folder. */
  String name() {
    return Objects.requireNonNull(path.getFileName()).toString();
  }

  /** Bytes when it was opened. */
  long length() {
    return length;
  }

  /** Fills a native segment from {@code position} on. {@code what} is read, for messages. */
  void read(long position, MemorySegment target, String what) {
    if (!target.isNative()) {
      throw new IllegalArgumentException("a segment outside the heap is needed");
    }
    for (long done = 0; done < target.byteSize(); ) {
      long count = Math.min(target.byteSize() - done, LARGEST_READ);
      done += readSome(position + done, target.asSlice(done, count).asByteBuffer(), what);
    }
  }

  private int readSome(long position, ByteBuffer buffer, String what) {
    while (true) {
      FileChannel current = channel;
      try {
        int count = current.read(buffer, position);
        if (count <= 0) {
          throw new CheckpointException(
              path
                  + ": "
                  + what
                  + ": the file ended at byte "
                  + current.size()
                  + ", it had "
                  + length
                  + " bytes when it was checked",
              RENEW);
        }
        return count;
      } catch (ClosedByInterruptException e) {
        throw new EngineException(
            FailureKind.STOPPED,
            path + ": " + what + ": reading was interrupted",
            "Run the same command again.",
            e);
      } catch (ClosedChannelException e) {
        reopen(current, what, e);
      } catch (IOException e) {
        throw failed(path, what + ": cannot be read", e);
      }
    }
  }

  private synchronized void reopen(FileChannel seen, String what, ClosedChannelException cause) {
    if (closed) {
      throw new IllegalStateException(path + " was closed", cause);
    }
    if (channel != seen) {
      return;
    }
    try {
      FileChannel opened = FileChannel.open(path, StandardOpenOption.READ);
      channel = opened;
      if (opened.size() != length) {
        throw new CheckpointException(
            path
                + ": "
                + what
                + ": expected "
                + length
                + " bytes, found "
                + opened.size()
                + ": the file was changed",
            RENEW);
      }
    } catch (IOException e) {
      throw failed(path, what + ": cannot be opened again", e);
    }
  }

  /** The {@code count} bytes from {@code position} on as a stream; closing it changes nothing. */
  InputStream stream(long position, long count) {
    return new InputStream() {
      private long at = position;
      private final long end = position + count;

      @Override
      public int read() throws IOException {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
      }

      @Override
      public int read(byte[] bytes, int offset, int wanted) {
        if (wanted == 0) {
          return 0;
        }
        if (at >= end) {
          return -1;
        }
        int most = (int) Math.min(wanted, end - at);
        int read = readSome(at, ByteBuffer.wrap(bytes, offset, most), "the header");
        at += read;
        return read;
      }
    };
  }

  private static EngineException failed(Path path, String what, IOException cause) {
    if (cause instanceof NoSuchFileException) {
      return new CheckpointException(
          path + ": no such file", "Download or copy the missing file.", cause);
    }
    return new EngineException(
        FailureKind.ENVIRONMENT,
        path + ": " + what + ": " + reason(cause),
        "Check the disk, the permissions and the number of open files allowed, then run the same"
            + " command again.",
        cause);
  }

  private static String reason(IOException cause) {
    String message = cause.getMessage();
    return cause.getClass().getSimpleName() + (message == null ? "" : " (" + message + ")");
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

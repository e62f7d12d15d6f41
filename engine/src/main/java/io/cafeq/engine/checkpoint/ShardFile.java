package io.cafeq.engine.checkpoint;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.store.ByteSource;
import io.cafeq.engine.store.CheckpointStore;
import io.cafeq.engine.store.SourceStream;
import io.cafeq.engine.store.StoreException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/**
 * One file of weights or an index, open for positioned reads by any number of threads. Failures say
 * what was being read.
 */
final class ShardFile implements AutoCloseable {
  /** A buffer holds less than 2 GiB. */
  private static final long LARGEST_READ = 1L << 30;

  private final String name;
  private final ByteSource source;

  private ShardFile(String name, ByteSource source) {
    this.name = name;
    this.source = source;
  }

  /** Opens a file of the store, in its root. */
  static ShardFile open(CheckpointStore store, String name) {
    return new ShardFile(name, store.open(name));
  }

  /** Where it is, for messages. */
  String place() {
    return source.place();
  }

  /** The file's name in its folder. */
  String name() {
    return name;
  }

  /** Bytes when it was opened. */
  long length() {
    return source.size();
  }

  /** Fills a native segment from {@code position} on. {@code what} is read, for messages. */
  void read(long position, MemorySegment target, String what) {
    if (!target.isNative()) {
      throw new IllegalArgumentException("a segment outside the heap is needed");
    }
    for (long done = 0; done < target.byteSize(); ) {
      long count = Math.min(target.byteSize() - done, LARGEST_READ);
      read(position + done, target.asSlice(done, count).asByteBuffer(), what);
      done += count;
    }
  }

  private void read(long position, ByteBuffer target, String what) {
    try {
      source.read(position, target);
    } catch (StoreException e) {
      throw failed(what, e);
    }
  }

  private static EngineException failed(String what, StoreException e) {
    String message = e.place() + ": " + what + ": " + e.detail();
    return e.kind() == FailureKind.CHECKPOINT
        ? new CheckpointException(message, e.remedy(), e)
        : new EngineException(e.kind(), message, e.remedy(), e);
  }

  /** The {@code count} bytes from {@code position} on as a stream; closing it changes nothing. */
  InputStream stream(long position, long count) {
    return new SourceStream(source, position, count) {
      @Override
      public int read(byte[] bytes, int offset, int wanted) {
        try {
          return super.read(bytes, offset, wanted);
        } catch (StoreException e) {
          throw failed("the header", e);
        }
      }
    };
  }

  @Override
  public void close() {
    source.close();
  }
}

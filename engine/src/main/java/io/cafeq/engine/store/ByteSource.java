package io.cafeq.engine.store;

import java.nio.ByteBuffer;

/**
 * One open file, read by position by any number of threads. An interrupted thread fails with kind
 * STOPPED and disturbs no other. Bytes are those of the file as it was opened: a source that
 * notices a change fails with kind CHECKPOINT.
 */
public interface ByteSource extends AutoCloseable {
  /** Where the file is, for messages. */
  String place();

  /** Bytes when it was opened. */
  long size();

  /**
   * Fills what remains in the buffer with the bytes from {@code position} on. On failure the
   * buffer's position says how many bytes arrived before it. A range that is not within {@link
   * #size} is a failure of kind CHECKPOINT.
   */
  void read(long position, ByteBuffer target);

  /** Later reads, and those under way, throw an IllegalStateException or a StoreException. */
  @Override
  void close();
}

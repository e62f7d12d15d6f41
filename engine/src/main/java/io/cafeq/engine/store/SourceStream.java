package io.cafeq.engine.store;

import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.Objects;

/** A range of a source as a stream. Closing it changes nothing; used by one thread. */
public class SourceStream extends InputStream {
  private final ByteSource source;
  private final long end;
  private long at;

  /** The {@code count} bytes from {@code position} on. */
  public SourceStream(ByteSource source, long position, long count) {
    this.source = source;
    this.at = position;
    this.end = position + count;
  }

  @Override
  public int read() {
    byte[] one = new byte[1];
    return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
  }

  @Override
  public int read(byte[] bytes, int offset, int wanted) {
    Objects.checkFromIndexSize(offset, wanted, bytes.length);
    if (wanted == 0) {
      return 0;
    }
    if (at >= end) {
      return -1;
    }
    int count = (int) Math.min(wanted, end - at);
    source.read(at, ByteBuffer.wrap(bytes, offset, count));
    at += count;
    return count;
  }
}

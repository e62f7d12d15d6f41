package io.cafeq.engine.store;

import java.nio.ByteBuffer;
import java.util.concurrent.atomic.LongAdder;

/** Counts the bytes that are read from another store, which it owns. */
public final class CountingStore extends StoreWrapper {
  private final LongAdder bytes = new LongAdder();

  public CountingStore(CheckpointStore store) {
    super(store);
  }

  /** Bytes read so far by all threads; bytes that were read twice count twice. */
  public long bytesRead() {
    return bytes.sum();
  }

  @Override
  protected ByteSource wrap(ByteSource source) {
    return new SourceWrapper(source) {
      @Override
      public void read(long position, ByteBuffer target) {
        int start = target.position();
        try {
          source.read(position, target);
        } finally {
          bytes.add(target.position() - start);
        }
      }
    };
  }
}

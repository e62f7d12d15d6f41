package io.cafeq.engine.store;

import java.nio.ByteBuffer;

/**
 * Reads whole ranges of a slow store, several at a time, and keeps those that were used last. Where
 * a file is read in order the next ranges are asked for before anybody needs them. Owns the store
 * beneath and its ranges.
 */
public final class ReadAheadStore extends StoreWrapper {
  private final RangeCache ranges;

  /**
   * @param parallel requests in flight at the same time
   * @param rangeBytes of one request
   * @param ranges that are kept outside the heap, at least twice {@code parallel}
   */
  public ReadAheadStore(CheckpointStore store, int parallel, int rangeBytes, int ranges) {
    super(store);
    this.ranges = new RangeCache(parallel, rangeBytes, Math.max(ranges, 2 * parallel));
  }

  @Override
  protected ByteSource wrap(ByteSource source) {
    return new SourceWrapper(source) {
      private volatile boolean closed;

      @Override
      public void read(long position, ByteBuffer target) {
        if (closed) {
          throw new IllegalStateException(place() + " was closed");
        }
        Ranges.require(source, position, target.remaining());
        ranges.read(source, position, target);
      }

      @Override
      public void close() {
        closed = true;
        ranges.forget(source);
        super.close();
      }
    };
  }

  @Override
  public long memory() {
    return ranges.memory() + super.memory();
  }

  @Override
  public void close() {
    // first the store, so that requests under way end
    super.close();
    ranges.close();
  }
}

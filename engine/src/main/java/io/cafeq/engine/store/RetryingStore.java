package io.cafeq.engine.store;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;

/**
 * Tries again what may pass by itself. A read goes on from the byte where it broke, and attempts
 * are counted anew whenever bytes arrived. Owns the store beneath.
 */
public final class RetryingStore extends StoreWrapper {
  private final Retries retries;

  /** Takes both over. */
  public RetryingStore(CheckpointStore store, Retries retries) {
    super(store);
    this.retries = retries;
  }

  @Override
  public ByteSource open(String name) {
    return retries.call(() -> super.open(name));
  }

  @Override
  public Optional<StoredFile> find(String name) {
    return retries.call(() -> super.find(name));
  }

  @Override
  public List<StoredFile> list(String folder) {
    return retries.call(() -> super.list(folder));
  }

  @Override
  protected ByteSource wrap(ByteSource source) {
    return new SourceWrapper(source) {
      @Override
      public void read(long position, ByteBuffer target) {
        int start = target.position();
        int failures = 0;
        int reached = start;
        while (true) {
          try {
            source.read(position + reached - start, target);
            return;
          } catch (StoreException e) {
            failures = target.position() > reached ? 1 : failures + 1;
            reached = target.position();
            retries.await(e, failures);
          }
        }
      }
    };
  }

  @Override
  public void close() {
    retries.close();
    super.close();
  }
}

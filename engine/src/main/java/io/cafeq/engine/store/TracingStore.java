package io.cafeq.engine.store;

import io.cafeq.engine.text.VisibleText;
import java.nio.ByteBuffer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Logs each read of another store, which it owns, at DEBUG. */
public final class TracingStore extends StoreWrapper {
  private static final Logger LOG = LoggerFactory.getLogger(TracingStore.class);

  public TracingStore(CheckpointStore store) {
    super(store);
  }

  @Override
  protected ByteSource wrap(ByteSource source) {
    return new SourceWrapper(source) {
      @Override
      public void read(long position, ByteBuffer target) {
        if (!LOG.isDebugEnabled()) {
          source.read(position, target);
          return;
        }
        int start = target.position();
        long begin = System.nanoTime();
        try {
          source.read(position, target);
        } finally {
          LOG.debug(
              "Read {} bytes of {} from byte {} in {} us",
              target.position() - start,
              VisibleText.line(source.place()),
              position,
              (System.nanoTime() - begin) / 1000);
        }
      }
    };
  }
}

package io.cafeq.engine.store.http;

import java.io.IOException;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Flow;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The bytes of one answer as they arrive, read by one thread, which copies them itself: memory of
 * its own, such as that of a confined arena, is open to no other thread. At most one piece of the
 * network's is held. A body that stops to flow fails after a time; closing it ends the request.
 */
final class Body implements HttpResponse.BodySubscriber<Body>, AutoCloseable {
  private sealed interface Event {
    record Data(List<ByteBuffer> buffers) implements Event {}

    record Broken(Throwable cause) implements Event {}

    record End() implements Event {}
  }

  /** More than a connection is worth. */
  private static final int MOST_DRAINED = 1 << 16;

  private static final Duration LONGEST_DRAIN = Duration.ofMillis(200);

  private final Duration stallTimeout;
  private final BlockingQueue<Event> events = new LinkedBlockingQueue<>();
  private final CompletableFuture<Flow.Subscription> subscription = new CompletableFuture<>();
  private List<ByteBuffer> current = List.of();
  private @Nullable Event last;
  private boolean over;

  Body(Duration stallTimeout) {
    this.stallTimeout = stallTimeout;
  }

  /**
   * Copies some of the next bytes.
   *
   * @return how many, at least 1; -1 at the end
   * @throws IOException where the connection broke, or nothing came for the time allowed
   */
  int read(ByteBuffer target) throws IOException, InterruptedException {
    while (true) {
      for (ByteBuffer buffer : current) {
        if (buffer.hasRemaining()) {
          int count = Math.min(buffer.remaining(), target.remaining());
          target.put(buffer.slice().limit(count));
          buffer.position(buffer.position() + count);
          return count;
        }
      }
      switch (next()) {
        case Event.Data(List<ByteBuffer> buffers) -> current = buffers;
        case Event.Broken(Throwable cause) ->
            throw new IOException(
                cause.getMessage() == null ? cause.toString() : cause.getMessage(), cause);
        case Event.End end -> {
          return -1;
        }
      }
    }
  }

  private Event next() throws IOException, InterruptedException {
    if (last != null) {
      return last;
    }
    subscription.thenAccept(one -> one.request(1));
    Event event = events.poll(stallTimeout.toMillis(), TimeUnit.MILLISECONDS);
    if (event == null) {
      over = true;
      subscription.thenAccept(Flow.Subscription::cancel);
      throw new IOException("nothing came for " + stallTimeout.toSeconds() + " s");
    }
    if (!(event instanceof Event.Data)) {
      last = event;
    }
    return event;
  }

  @Override
  public CompletionStage<Body> getBody() {
    return CompletableFuture.completedStage(this);
  }

  @Override
  public void onSubscribe(Flow.Subscription one) {
    if (!subscription.complete(one)) {
      one.cancel();
    }
  }

  @Override
  public void onNext(List<ByteBuffer> buffers) {
    events.add(new Event.Data(buffers));
  }

  @Override
  public void onError(Throwable cause) {
    events.add(new Event.Broken(cause));
  }

  @Override
  public void onComplete() {
    events.add(new Event.End());
  }

  /** Leaves the connection for the next request where little is left to read; else ends it. */
  @Override
  public void close() {
    if (!over && !isDrained()) {
      subscription.thenAccept(Flow.Subscription::cancel);
    }
    over = true;
  }

  private boolean isDrained() {
    int left = MOST_DRAINED;
    try {
      while (left > 0 && last == null) {
        left -= current.stream().mapToInt(ByteBuffer::remaining).sum();
        subscription.thenAccept(one -> one.request(1));
        Event event = events.poll(LONGEST_DRAIN.toMillis(), TimeUnit.MILLISECONDS);
        switch (event) {
          case null -> {
            return false;
          }
          case Event.Data(List<ByteBuffer> buffers) -> current = buffers;
          case Event.Broken broken -> last = broken;
          case Event.End end -> last = end;
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return last != null;
  }
}

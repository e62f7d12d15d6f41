package io.cafeq.engine.store;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Ranges of sources in memory outside the heap, read by a fixed number of threads. A reader holds
 * one range at a time, so any number of readers goes on with any number of ranges. Thread-safe.
 */
final class RangeCache implements AutoCloseable {
  private final int parallel;
  private final int rangeBytes;
  private final int most;
  private final Arena arena = Arena.ofShared();
  private final ExecutorService fetchers;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition released = lock.newCondition();

  /** By last use, the oldest first. */
  private final Map<Key, Range> ranges = new LinkedHashMap<>(16, 0.75f, true);

  private final Deque<MemorySegment> free = new ArrayDeque<>();
  private int allocated;
  private int loading;
  private int pinned;
  private boolean closed;

  private record Key(ByteSource source, long index) {}

  private static final class Range {
    private final MemorySegment memory;
    private final CompletableFuture<Void> done = new CompletableFuture<>();
    private int pins;

    Range(MemorySegment memory) {
      this.memory = memory;
    }
  }

  RangeCache(int parallel, int rangeBytes, int most) {
    this.parallel = parallel;
    this.rangeBytes = rangeBytes;
    this.most = most;
    this.fetchers =
        Executors.newFixedThreadPool(
            parallel, Thread.ofPlatform().daemon().name("checkpoint-read-", 0).factory());
  }

  long memory() {
    return (long) most * rangeBytes;
  }

  /** Fills what remains in the buffer; the range is known to be within the source. */
  void read(ByteSource source, long position, ByteBuffer target) {
    long at = position;
    while (target.hasRemaining()) {
      long index = at / rangeBytes;
      int offset = (int) (at % rangeBytes);
      Key key = new Key(source, index);
      Range range = take(key);
      try {
        readAhead(source, index, Math.ceilDiv(at + target.remaining(), (long) rangeBytes));
        await(range, source);
        int count = Math.min(target.remaining(), rangeBytes - offset);
        target.put(range.memory.asSlice(offset, count).asByteBuffer());
        at += count;
      } finally {
        release(range);
      }
    }
  }

  private static void await(Range range, ByteSource source) {
    try {
      range.done.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw StoreException.interrupted(source.place(), e);
    } catch (ExecutionException e) {
      switch (e.getCause()) {
        case StoreException failure -> throw failure.again();
        case RuntimeException failure -> throw new IllegalStateException(failure);
        case Error error -> throw error;
        case null, default -> throw new IllegalStateException(e);
      }
    }
  }

  /** The range, pinned; it is asked for where it is not there yet. */
  private Range take(Key key) {
    lock.lock();
    try {
      while (true) {
        if (closed) {
          throw new IllegalStateException(key.source().place() + " was closed");
        }
        Range known = ranges.get(key);
        if (known != null) {
          pin(known);
          return known;
        }
        MemorySegment memory = memoryOrNull();
        if (memory != null) {
          Range range = fetch(key, memory);
          pin(range);
          return range;
        }
        released.await();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw StoreException.interrupted(key.source().place(), e);
    } finally {
      lock.unlock();
    }
  }

  /**
   * Asks for the next ranges as far as requests are free: those before {@code end} in any case,
   * others where the range before this one was read as well, so that the file is read in order.
   */
  private void readAhead(ByteSource source, long index, long end) {
    lock.lock();
    try {
      boolean inOrder = ranges.containsKey(new Key(source, index - 1));
      long last = Math.ceilDiv(source.size(), (long) rangeBytes);
      for (long next = index + 1; next < Math.min(last, index + 1 + parallel); next++) {
        Key key = new Key(source, next);
        if (closed || loading >= parallel || next >= end && !inOrder) {
          return;
        }
        if (!ranges.containsKey(key)) {
          MemorySegment memory = memoryOrNull();
          if (memory == null) {
            return;
          }
          fetch(key, memory);
        }
      }
    } finally {
      lock.unlock();
    }
  }

  /** A place for a range: a free one, a new one, or that of the range that was unused longest. */
  private @Nullable MemorySegment memoryOrNull() {
    if (!free.isEmpty()) {
      return free.removeLast();
    }
    if (allocated < most) {
      allocated++;
      return arena.allocate(rangeBytes, 64);
    }
    for (Iterator<Range> oldest = ranges.values().iterator(); oldest.hasNext(); ) {
      Range range = oldest.next();
      if (range.pins == 0) {
        oldest.remove();
        return range.memory;
      }
    }
    return null;
  }

  /** Asks for a range, which stays pinned until it is there. */
  private Range fetch(Key key, MemorySegment memory) {
    Range range = new Range(memory);
    ranges.put(key, range);
    pin(range);
    loading++;
    fetchers.execute(() -> load(key, range));
    return range;
  }

  private void load(Key key, Range range) {
    Throwable failure = null;
    try {
      long position = key.index() * rangeBytes;
      int count = (int) Math.min(rangeBytes, key.source().size() - position);
      key.source().read(position, range.memory.asSlice(0, count).asByteBuffer());
    } catch (Throwable e) {
      failure = e;
    }
    lock.lock();
    try {
      loading--;
      if (failure != null) {
        // before anybody hears of it, so that the next reader asks again
        ranges.remove(key, range);
      }
    } finally {
      lock.unlock();
    }
    if (failure == null) {
      range.done.complete(null);
    } else {
      range.done.completeExceptionally(failure);
    }
    release(range);
  }

  private void pin(Range range) {
    range.pins++;
    pinned++;
  }

  private void release(Range range) {
    lock.lock();
    try {
      range.pins--;
      pinned--;
      if (range.pins == 0 && !ranges.containsValue(range)) {
        free.add(range.memory);
      }
      released.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /** Gives up the ranges of a source; those in use go once they are released. */
  void forget(ByteSource source) {
    lock.lock();
    try {
      Iterator<Map.Entry<Key, Range>> all = ranges.entrySet().iterator();
      while (all.hasNext()) {
        Map.Entry<Key, Range> each = all.next();
        if (each.getKey().source() == source) {
          all.remove();
          if (each.getValue().pins == 0) {
            free.add(each.getValue().memory);
          }
        }
      }
    } finally {
      lock.unlock();
    }
  }

  /** Ends the threads, waits for the readers, and frees the memory. */
  @Override
  public void close() {
    lock.lock();
    try {
      if (closed) {
        return;
      }
      closed = true;
      released.signalAll();
    } finally {
      lock.unlock();
    }
    fetchers.shutdownNow().forEach(Runnable::run);
    boolean ended = awaitFetchers();
    lock.lock();
    try {
      while (ended && pinned > 0) {
        released.awaitUninterruptibly();
      }
      if (ended) {
        arena.close();
      }
    } finally {
      lock.unlock();
    }
  }

  /** False where the thread was interrupted first: then the memory stays until the process ends. */
  private boolean awaitFetchers() {
    try {
      return fetchers.awaitTermination(1, TimeUnit.MINUTES);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }
}

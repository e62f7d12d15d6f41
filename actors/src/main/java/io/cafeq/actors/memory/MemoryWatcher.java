package io.cafeq.actors.memory;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.LockSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Samples the memory of the process on a thread of its own until closed. Jobs that run at the same
 * time share a process, so each {@link Span} keeps the peak of its own time. Thread-safe.
 */
public final class MemoryWatcher implements AutoCloseable {
  /** Time between two samples. */
  public static final Duration INTERVAL = Duration.ofMillis(100);

  private static final Logger LOG = LoggerFactory.getLogger(MemoryWatcher.class);

  private final MemoryMeter meter;
  private final long cap;
  private final Thread thread;
  private final List<Span> spans = new CopyOnWriteArrayList<>();
  private boolean exceeded;
  private volatile boolean closed;

  private MemoryWatcher(MemoryMeter meter, long cap) {
    this.meter = meter;
    this.cap = cap;
    this.thread = Thread.ofPlatform().daemon().name("cafeq-memory-watcher").unstarted(this::watch);
  }

  /** Starts to watch; {@code cap} in bytes. */
  public static MemoryWatcher start(MemoryMeter meter, long cap) {
    MemoryWatcher watcher = new MemoryWatcher(meter, cap);
    watcher.sample();
    watcher.thread.start();
    return watcher;
  }

  /** A time whose peak counts, from now until it is closed. */
  public Span span() {
    Span span = new Span();
    spans.add(span);
    sample();
    return span;
  }

  @Override
  public void close() {
    closed = true;
    LockSupport.unpark(thread);
  }

  private void watch() {
    while (!closed) {
      sample();
      LockSupport.parkNanos(INTERVAL.toNanos());
    }
  }

  private synchronized void sample() {
    long now = meter.sample();
    if (now > cap && !exceeded) {
      exceeded = true;
      LOG.warn("The process takes {} MiB, more than the cap of {} MiB", now >> 20, cap >> 20);
    }
    spans.forEach(span -> span.highest = Math.max(span.highest, now));
  }

  /** The peak of some time. */
  public final class Span implements AutoCloseable {
    private volatile long highest;

    private Span() {}

    /** The highest sample since it began, one taken now included. */
    public long peak() {
      sample();
      return highest;
    }

    /** Whether any sample lay above the cap. */
    public boolean capExceeded() {
      return peak() > cap;
    }

    /** What is measured. */
    public String measure() {
      return meter.description();
    }

    @Override
    public void close() {
      spans.remove(this);
    }
  }
}

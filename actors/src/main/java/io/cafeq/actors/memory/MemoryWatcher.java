package io.cafeq.actors.memory;

import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Samples the memory of the process on a thread of its own until closed, and keeps the peak. */
public final class MemoryWatcher implements AutoCloseable {
  /** Time between two samples. */
  public static final Duration INTERVAL = Duration.ofMillis(100);

  private static final Logger LOG = LoggerFactory.getLogger(MemoryWatcher.class);

  private final MemoryMeter meter;
  private final long cap;
  private final Thread thread;
  private volatile long peak;
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

  /** The highest sample so far, one taken now included. */
  public long peak() {
    sample();
    return peak;
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
    if (now > cap && peak <= cap) {
      LOG.warn("the process takes {} MiB, more than the cap of {} MiB", now >> 20, cap >> 20);
    }
    peak = Math.max(peak, now);
  }
}

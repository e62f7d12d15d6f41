package io.cafeq.engine.store;

import io.cafeq.engine.text.VisibleText;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How often what may pass by itself is tried again. The wait doubles from attempt to attempt; a
 * server that asks for a longer one gets it. Thread-safe; closing it ends all waits.
 */
public final class Retries implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Retries.class);
  private static final Duration LONGEST_WAIT = Duration.ofSeconds(60);

  private final int most;
  private final Duration firstWait;
  private final CountDownLatch closed = new CountDownLatch(1);

  /**
   * @param most attempts after the first one that may fail in a row
   * @param firstWait before the second attempt
   */
  public Retries(int most, Duration firstWait) {
    this.most = most;
    this.firstWait = firstWait;
  }

  /** The call's result, or its failure once nothing helps. */
  public <T> T call(Supplier<T> call) {
    for (int failures = 1; ; failures++) {
      try {
        return call.get();
      } catch (StoreException e) {
        await(e, failures);
      }
    }
  }

  /**
   * Waits before the next attempt, or throws the failure where there is to be none.
   *
   * @param failures in a row, this one counted
   */
  void await(StoreException failure, int failures) {
    if (!failure.isPassing() || failures > most) {
      throw failure;
    }
    Duration wait = failure.wait(wait(failures));
    LOG.info(
        "Reading again in {} ms, attempt {} of {}: {}",
        wait.toMillis(),
        failures,
        most,
        VisibleText.line(String.valueOf(failure.getMessage())));
    try {
      if (closed.await(wait.toMillis(), TimeUnit.MILLISECONDS)) {
        throw failure;
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw StoreException.interrupted(failure.place(), e);
    }
  }

  private Duration wait(int failures) {
    Duration doubled = firstWait.multipliedBy(1L << Math.min(failures - 1, 16));
    return doubled.compareTo(LONGEST_WAIT) > 0 ? LONGEST_WAIT : doubled;
  }

  @Override
  public void close() {
    closed.countDown();
  }
}

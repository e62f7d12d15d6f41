package io.cafeq.engine.measure;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

class OnceEachTest {
  private final OnceEach once = new OnceEach();

  /** 0 and 16 share a bin of a new map, whose lock is held while a value is computed. */
  @Test
  @Timeout(60)
  void longWorkOnOneNumberKeepsNoOtherWaiting() throws Exception {
    CountDownLatch begun = new CountDownLatch(1);
    CountDownLatch other = new CountDownLatch(1);
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      Future<?> first =
          threads.submit(
              () ->
                  once.run(
                      0,
                      () -> {
                        begun.countDown();
                        await(other);
                      }));
      await(begun);

      threads.submit(() -> once.run(16, other::countDown)).get();

      first.get();
    }
  }

  @Test
  void isDoneAgainOnlyWhereItFailed() {
    AtomicInteger runs = new AtomicInteger();
    assertThatThrownBy(
            () ->
                once.run(
                    3,
                    () -> {
                      throw new IllegalStateException("run " + runs.incrementAndGet());
                    }))
        .hasMessage("run 1");

    once.run(3, runs::incrementAndGet);
    once.run(3, runs::incrementAndGet);

    assertThat(runs).hasValue(2);
  }

  private static void await(CountDownLatch latch) {
    try {
      if (!latch.await(30, TimeUnit.SECONDS)) {
        throw new AssertionError("waited for another number");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    }
  }
}

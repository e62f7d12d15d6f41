package io.cafeq.tools;

import io.cafeq.engine.failure.StopFlag;
import java.time.Duration;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import sun.misc.Signal;

/**
 * Handles SIGINT, SIGTERM and SIGHUP. The first signal asks the work to stop; a second one, or work
 * that takes too long to stop, ends the process at once. The exit code is 128 plus the number of
 * the signal.
 */
final class Interruption {
  private static final Duration PATIENCE = Duration.ofMillis(4500);

  private final StopFlag stopFlag = new StopFlag();
  private final CompletableFuture<Void> wished = new CompletableFuture<>();
  private final AtomicInteger received = new AtomicInteger();

  /** Returns the flag that long work polls. */
  StopFlag stopFlag() {
    return stopFlag;
  }

  /** Runs {@code action} on the first signal, at once where it has arrived already. */
  void onStop(Runnable action) {
    wished.thenRun(action);
  }

  /** Returns 130 after SIGINT, 143 after SIGTERM, 129 after SIGHUP; empty before any signal. */
  OptionalInt exitCode() {
    int number = received.get();
    return number == 0 ? OptionalInt.empty() : OptionalInt.of(128 + number);
  }

  /** Replaces the JVM's own handlers, which do not distinguish a second signal from the first. */
  void install(Console console) {
    for (String name : new String[] {"INT", "TERM", "HUP"}) {
      try {
        Signal.handle(new Signal(name), signal -> handle(signal.getNumber(), console));
      } catch (IllegalArgumentException notHere) {
        // No such signal on this system, or the JVM was told to leave signals alone: its default
        // action remains.
        continue;
      }
    }
  }

  private void handle(int number, Console console) {
    if (!received.compareAndSet(0, number)) {
      Runtime.getRuntime().halt(128 + number);
    }
    stopFlag.stop();
    Thread.ofPlatform().daemon().name("stop-deadline").start(() -> endAfterPatience(128 + number));
    console.message("cafeq: stopping; press Ctrl-C again to quit now");
    wished.complete(null);
  }

  private static void endAfterPatience(int exitCode) {
    try {
      Thread.sleep(PATIENCE);
    } catch (InterruptedException nobodyInterruptsThisThread) {
      Thread.currentThread().interrupt();
    }
    Runtime.getRuntime().halt(exitCode);
  }
}

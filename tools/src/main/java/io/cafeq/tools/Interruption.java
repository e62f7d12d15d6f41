package io.cafeq.tools;

import io.cafeq.engine.failure.StopFlag;
import java.time.Duration;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import sun.misc.Signal;

/**
 * Ctrl-C and its kin. The first signal asks the work to stop; a second one, or work that takes too
 * long to stop, ends the process at once. Either way the exit code is 128 and the signal's number.
 */
final class Interruption {
  private static final Duration PATIENCE = Duration.ofMillis(4500);

  private final StopFlag stopFlag = new StopFlag();
  private final CompletableFuture<Void> wished = new CompletableFuture<>();
  private final AtomicInteger received = new AtomicInteger();

  /** Long work asks it often. */
  StopFlag stopFlag() {
    return stopFlag;
  }

  /** Runs {@code action} on the first signal, at once if it has come already. */
  void onStop(Runnable action) {
    wished.thenRun(action);
  }

  /** 130 after SIGINT, 143 after SIGTERM, 129 after SIGHUP; empty while none has come. */
  OptionalInt exitCode() {
    int number = received.get();
    return number == 0 ? OptionalInt.empty() : OptionalInt.of(128 + number);
  }

  /**
   * Takes the signals over from the JVM, whose own handlers cannot tell a second one from the
   * first.
   */
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
    console.message("cafeq: stopping; once more ends at once");
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

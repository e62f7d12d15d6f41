package io.cafeq.actors.job;

import io.cafeq.engine.failure.StopFlag;
import java.util.concurrent.CompletableFuture;

/**
 * The wish to stop a job: a flag for those that compute, and a future for those that wait.
 * Thread-safe.
 */
final class JobStop {
  private final StopFlag flag = new StopFlag();
  private final CompletableFuture<Void> wished = new CompletableFuture<>();

  void stop() {
    flag.stop();
    wished.complete(null);
  }

  StopFlag flag() {
    return flag;
  }

  /** Runs {@code action} when the wish is there, at once if it already is. */
  void onStop(Runnable action) {
    wished.thenRun(action);
  }
}

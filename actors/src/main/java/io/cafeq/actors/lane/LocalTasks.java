package io.cafeq.actors.lane;

import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Work of this node that lanes run beside units: measurements of a plan, evaluations. Messages
 * carry only its id. Thread-safe.
 */
public final class LocalTasks {
  private final Map<String, Task<?>> tasks = new ConcurrentHashMap<>();
  private final AtomicLong next = new AtomicLong();

  /** A task that waits for its lane under {@code id}. */
  public record Registered<R>(String id, CompletableFuture<R> result) {}

  private record Task<R>(Callable<R> work, CompletableFuture<R> result) {
    void run() {
      try {
        result.complete(work.call());
      } catch (Throwable failure) {
        // whoever waits for the result decides what it means
        result.completeExceptionally(failure);
      }
    }
  }

  /** Keeps the work until a lane runs it or it is dropped. */
  public <R> Registered<R> register(Callable<R> work) {
    String id = "task-" + next.incrementAndGet();
    CompletableFuture<R> result = new CompletableFuture<>();
    tasks.put(id, new Task<>(work, result));
    return new Registered<>(id, result);
  }

  /** Runs it on the calling thread; its failure goes to whoever waits for the result. */
  void run(String id) {
    Task<?> task = tasks.remove(id);
    if (task != null) {
      task.run();
    }
  }

  /** It will not run. */
  void drop(String id, RuntimeException reason) {
    Task<?> task = tasks.remove(id);
    if (task != null) {
      task.result().completeExceptionally(reason);
    }
  }
}

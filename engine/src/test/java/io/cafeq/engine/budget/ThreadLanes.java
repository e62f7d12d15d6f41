package io.cafeq.engine.budget;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** Lanes on threads of their own, for tests without a host. */
record ThreadLanes(int threads) implements MeasuringLanes {
  @Override
  public <R> List<R> all(List<Task<R>> tasks) {
    try (ExecutorService pool = Executors.newFixedThreadPool(threads)) {
      List<Future<R>> running = new ArrayList<>();
      tasks.forEach(task -> running.add(pool.submit(task.work())));
      List<R> results = new ArrayList<>();
      for (Future<R> future : running) {
        results.add(future.get());
      }
      return results;
    } catch (ExecutionException e) {
      throw e.getCause() instanceof RuntimeException known
          ? known
          : new IllegalStateException(e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }
}

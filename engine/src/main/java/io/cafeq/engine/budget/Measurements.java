package io.cafeq.engine.budget;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.TensorReader;
import io.cafeq.engine.compute.ComputeBackend;
import io.cafeq.engine.compute.ComputeLane;
import io.cafeq.engine.failure.StopFlag;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** Runs measurements on some threads, each with a lane and a reader of its own. Borrows checkpoint and backend. */
final class Measurements {
  private final Checkpoint checkpoint;
  private final ComputeBackend backend;
  private final int threads;
  private final StopFlag stop;

  Measurements(Checkpoint checkpoint, ComputeBackend backend, int threads, StopFlag stop) {
    this.checkpoint = checkpoint;
    this.backend = backend;
    this.threads = threads;
    this.stop = stop;
  }

  /** One measurement. */
  interface Task<R> {
    R run(ComputeLane lane, TensorReader reader);
  }

  /** The results in the order of the tasks. Of several failures the first in that order is thrown. */
  <R> List<R> all(List<Task<R>> tasks) {
    try (ExecutorService pool = Executors.newFixedThreadPool(threads)) {
      List<Future<R>> running = new ArrayList<>();
      for (Task<R> task : tasks) {
        running.add(pool.submit(() -> one(task)));
      }
      List<R> results = new ArrayList<>();
      try {
        for (Future<R> future : running) {
          results.add(future.get());
        }
      } catch (ExecutionException e) {
        throw e.getCause() instanceof RuntimeException known ? known : new IllegalStateException(e.getCause());
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        stop.stop();
        stop.check();
      } finally {
        running.forEach(future -> future.cancel(false));
      }
      return results;
    }
  }

  /** The lane lives no longer than the task, since an encoder keeps room for each grid that it has met. */
  StopFlag stop() {
    return stop;
  }

  private <R> R one(Task<R> task) {
    stop.check();
    try (ComputeLane lane = backend.openLane();
        TensorReader reader = checkpoint.newReader()) {
      return task.run(lane, reader);
    }
  }
}

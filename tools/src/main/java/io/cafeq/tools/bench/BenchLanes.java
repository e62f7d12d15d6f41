package io.cafeq.tools.bench;

import io.cafeq.engine.compute.Compute;
import io.cafeq.engine.compute.ComputeLane;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** Does the same on all lanes of a backend at once, each on a thread of its own, begun together. */
record BenchLanes(Compute compute, int count) {
  /** What a lane does; {@code index} is 0 to count - 1. */
  interface Work<T> {
    T run(ComputeLane lane, int index) throws Exception;
  }

  /** What each lane gave, in order. */
  <T> List<T> run(Work<T> work) {
    CyclicBarrier together = new CyclicBarrier(count);
    try (ExecutorService threads = Executors.newFixedThreadPool(count)) {
      List<Future<T>> results = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        int index = i;
        results.add(
            threads.submit(
                () -> {
                  try (ComputeLane lane = compute.backend().openLane()) {
                    together.await();
                    return work.run(lane, index);
                  }
                }));
      }
      List<T> all = new ArrayList<>();
      for (Future<T> result : results) {
        all.add(result.get());
      }
      return all;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof RuntimeException known) {
        throw known;
      }
      throw new IllegalStateException(e.getCause());
    }
  }
}

package io.cafeq.engine.budget;

import java.util.List;
import java.util.concurrent.Callable;

/** Runs measurements side by side. Whoever plans says how many at a time, and in what memory. */
@FunctionalInterface
public interface MeasuringLanes {
  /**
   * One measurement.
   *
   * @param memory native bytes that it takes at most
   */
  record Task<R>(long memory, Callable<R> work) {}

  /**
   * Blocks until all have run. The results are in the order of the tasks; of several failures the
   * first in that order is thrown.
   */
  <R> List<R> all(List<Task<R>> tasks);
}

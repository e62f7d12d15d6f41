package io.cafeq.engine.measure;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Does something once for each number. A thread waits only for one that does the same number, never
 * for others. What failed is done again by the next that asks. Thread-safe.
 */
final class OnceEach {
  private static final class Turn {
    private boolean done;

    synchronized void run(Runnable work) {
      if (!done) {
        work.run();
        done = true;
      }
    }
  }

  private final Map<Integer, Turn> turns = new ConcurrentHashMap<>();

  /** Returns once {@code work} has been done for this number, by this thread or another. */
  void run(int number, Runnable work) {
    turns.computeIfAbsent(number, first -> new Turn()).run(work);
  }
}

package io.cafeq.actors.job;

import io.cafeq.engine.plan.Unit;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/** Counts weights as lanes report them. Thread-safe and never waits. */
final class ProgressBoard {
  private final Map<String, Long> running = new ConcurrentHashMap<>();
  private final AtomicLong ended = new AtomicLong();

  /** So many more weights of a unit that runs. */
  void advanced(String unit, long weights) {
    running.merge(unit, weights, Long::sum);
  }

  /** The unit is done with, well or not: all its weights count. */
  void end(Unit unit) {
    running.remove(unit.id());
    ended.addAndGet(unit.weights());
  }

  long done() {
    return ended.get() + running.values().stream().mapToLong(Long::longValue).sum();
  }
}

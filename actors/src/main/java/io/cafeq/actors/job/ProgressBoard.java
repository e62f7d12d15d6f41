package io.cafeq.actors.job;

import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.quantize.Progress;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;

/** Counts weights as lanes report them. Thread-safe and never waits, since lanes report often. */
final class ProgressBoard {
  private final Map<String, LongAdder> running = new ConcurrentHashMap<>();
  private final AtomicLong ended = new AtomicLong();

  /** Where the progress of one unit goes. */
  Progress begin(Unit unit) {
    LongAdder weights = new LongAdder();
    running.put(unit.id(), weights);
    return weights::add;
  }

  /** The unit is done with, well or not: all its weights count. */
  void end(Unit unit) {
    running.remove(unit.id());
    ended.addAndGet(unit.weights());
  }

  long done() {
    return ended.get() + running.values().stream().mapToLong(LongAdder::sum).sum();
  }
}

package io.cafeq.actors.worker;

import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.quantize.Progress;

/** Told by the lanes' threads what they begin. Thread-safe; must return at once. */
@FunctionalInterface
public interface WorkWatcher {
  WorkWatcher NONE = (unit, lane) -> Progress.NONE;

  /** Lane {@code lane} begins with the unit; its progress goes to what is returned. */
  Progress started(Unit unit, int lane);
}

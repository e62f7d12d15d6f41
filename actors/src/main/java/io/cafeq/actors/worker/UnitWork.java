package io.cafeq.actors.worker;

import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.quantize.Progress;
import io.cafeq.engine.receipt.UnitReceipt;

/**
 * What one lane does with units, one after the other. Made, used and closed on the lane's own
 * thread; owns its memory.
 */
public interface UnitWork extends AutoCloseable {
  /**
   * Makes the unit's file. An {@link io.cafeq.engine.failure.EngineException} fails the unit and
   * leaves this usable; anything else thrown means that this is broken: it is closed and replaced.
   */
  UnitReceipt run(Unit unit, StopFlag stop, Progress progress);

  @Override
  void close();

  /** Makes the work of each lane. Thread-safe. */
  @FunctionalInterface
  interface Factory {
    /** Called on the thread of lane {@code lane}, counted from 0. */
    UnitWork open(int lane);
  }
}

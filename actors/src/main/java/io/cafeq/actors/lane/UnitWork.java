package io.cafeq.actors.lane;

import io.cafeq.engine.quantize.Progress;
import io.cafeq.engine.receipt.UnitReceipt;

/**
 * Makes units of one job on one lane, one after the other. Made, used and closed on the lane's
 * thread; owns its memory.
 */
public interface UnitWork extends AutoCloseable {
  /**
   * Makes the unit's file. An {@link io.cafeq.engine.failure.EngineException} fails the unit and
   * leaves this usable; anything else thrown means that this is broken: it is closed and replaced.
   */
  UnitReceipt run(String unit, Progress progress);

  @Override
  void close();
}

package io.cafeq.engine.report;

import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.receipt.UnitReceipt;
import org.jspecify.annotations.Nullable;

/** Result of one planned unit at the end of a job. */
public sealed interface UnitResult {
  Unit unit();

  /** Of the unit's file; null where there is none. */
  default @Nullable UnitReceipt receipt() {
    return null;
  }

  /** Made by this run. */
  record Done(Unit unit, UnitReceipt receipt) implements UnitResult {}

  /** Found intact from an earlier run; the figures come from the unit's own file. */
  record Kept(Unit unit, UnitReceipt receipt) implements UnitResult {}

  /** Could not be made. */
  record Failed(Unit unit, UnitFailure failure) implements UnitResult {}

  /** Never started. */
  record Missing(Unit unit) implements UnitResult {}
}

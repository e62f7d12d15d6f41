package io.cafeq.actors.worker;

import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.receipt.UnitReceipt;
import io.cafeq.engine.report.UnitFailure;

/** How the work on a unit ended. A failure is an answer like another. */
public sealed interface Outcome {
  Unit unit();

  /** The unit's file stands. */
  record Completed(Unit unit, UnitReceipt receipt) implements Outcome {}

  /** There is no file. */
  record Failed(Unit unit, UnitFailure failure) implements Outcome {}

  /** The job came to its end before the unit's turn. */
  record NotStarted(Unit unit) implements Outcome {}
}

package io.cafeq.actors.job;

import io.cafeq.engine.plan.Plan;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.report.UnitEntry;

/** Something that a job's listener hears of. */
public sealed interface JobEvent {
  /** The job goes on to the next phase. */
  record PhaseChanged(Phase phase) implements JobEvent {}

  /** It is decided what will be done. */
  record Planned(Plan plan) implements JobEvent {}

  /** A unit of an earlier run counts and is not made again. */
  record UnitKept(UnitEntry entry) implements JobEvent {}

  /**
   * Statistics stand for so many layers.
   *
   * @param layers that the model was run through
   * @param all layers that it has to be run through
   */
  record StatisticsAdvanced(int layers, int all) implements JobEvent {}

  /** A lane begins with a unit. */
  record UnitStarted(Unit unit, int lane) implements JobEvent {}

  /**
   * How far the work is, some times a second while it moves.
   *
   * @param done weights dealt with, those of running units included
   * @param all weights of the units that this run has to make
   */
  record WeightsAdvanced(long done, long all) implements JobEvent {}

  /** A unit's file stands. */
  record UnitFinished(UnitEntry entry) implements JobEvent {}

  /** A unit could not be made; the entry says why. */
  record UnitFailed(UnitEntry entry) implements JobEvent {}

  /** A sentence for the user. */
  record Warned(String warning) implements JobEvent {}
}

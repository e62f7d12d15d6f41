package io.cafeq.actors.job;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.report.Report;
import io.cafeq.engine.report.UnitFailure;

/** How a job ended. */
public sealed interface JobResult {
  /**
   * All units are done and the manifest stands.
   *
   * @param already whether the folder was complete before, so that nothing had to be done and the
   *     report is the old one
   */
  record Complete(Report report, boolean already) implements JobResult {}

  /**
   * Something is missing; the same command continues.
   *
   * @param cause the first failure; one for which the checkpoint is at fault comes before all
   *     others
   */
  record Partial(Report report, UnitFailure cause) implements JobResult {}

  /** Stopped on request; the same command continues. */
  record Stopped(Report report) implements JobResult {}

  /** Nothing was begun, and nothing in the output folder was changed. */
  record Refused(EngineException failure) implements JobResult {}
}

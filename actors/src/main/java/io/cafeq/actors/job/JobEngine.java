package io.cafeq.actors.job;

import io.cafeq.actors.worker.UnitWork;
import io.cafeq.config.Settings;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.output.OutputFolder;
import io.cafeq.engine.output.StoredUnits;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.quantize.UnitMemory;
import io.cafeq.engine.receipt.JobIdentity;
import io.cafeq.engine.statistics.InputStatistics;

/**
 * The numerics and the formats as a job sees them: what units cost, how they are made and read
 * back. Thread-safe.
 */
interface JobEngine {
  /** What making the unit takes at most. */
  UnitMemory memoryNeeded(Unit unit);

  /** Bytes of the unit's file, about. */
  long diskNeeded(Unit unit);

  /** Reads finished units back. */
  StoredUnits stored();

  /** Loads the backend; called once, only when there is a unit to make. */
  Opened open(OutputFolder folder);

  /**
   * Makes the engine of one job; borrows the checkpoint. A unit begins when the statistics of its
   * layers can be read.
   */
  @FunctionalInterface
  interface Factory {
    JobEngine create(
        Checkpoint checkpoint,
        JobIdentity identity,
        Settings settings,
        InputStatistics statistics,
        StopFlag stop);
  }

  /** A loaded backend: its names for the report, and the lanes' work. */
  record Opened(String backend, String kernel, UnitWork.Factory work) {}
}

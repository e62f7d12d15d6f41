package io.cafeq.actors.job;

import io.cafeq.config.Recipe;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.compute.Compute;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.output.StoredUnits;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.quantize.Progress;
import io.cafeq.engine.quantize.UnitMemory;
import io.cafeq.engine.receipt.UnitReceipt;
import io.cafeq.engine.statistics.InputStatistics;
import java.nio.file.Path;
import java.util.function.Supplier;

/**
 * The numerics and the formats as a job sees them: what units cost, how they are made and read
 * back. Thread-safe.
 */
public interface JobEngine {
  /** What making the unit takes at most. */
  UnitMemory memoryNeeded(Unit unit);

  /** Bytes of the unit's file, about. */
  long diskNeeded(Unit unit);

  /** Reads finished units back; polls {@code stop}. */
  StoredUnits stored(StopFlag stop);

  /** Opens the backend; throws where it does not work here. */
  Names names();

  /** Opens a lane that writes into {@code output}; called on the lane's thread. */
  Lane openLane(Path output, StopFlag stop);

  /** Names for the report: the backend's, and what else decides the bits of results. */
  record Names(String backend, String kernel) {}

  /** Makes units, one after the other, on one thread; owns its memory. */
  interface Lane extends AutoCloseable {
    /** Makes the unit's file; throws an {@link io.cafeq.engine.failure.EngineException}. */
    UnitReceipt run(Unit unit, Progress progress);

    @Override
    void close();
  }

  /**
   * What an engine works with. The checkpoint is borrowed.
   *
   * @param statistics a unit begins when those of its layers can be read
   * @param verify whether each file is read back before it gets its name
   */
  record Work(
      Checkpoint checkpoint,
      Recipe recipe,
      InputStatistics statistics,
      boolean verify,
      Supplier<Compute> compute) {}

  /** Makes the engine of one job. */
  @FunctionalInterface
  interface Factory {
    JobEngine create(Work work);
  }
}

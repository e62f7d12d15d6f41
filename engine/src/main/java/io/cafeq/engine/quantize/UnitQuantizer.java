package io.cafeq.engine.quantize;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.compute.ComputeBackend;
import io.cafeq.engine.compute.ComputeLane;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.plan.Unit;
import java.nio.file.Path;

/** Takes one unit through. Made once a worker; not thread-safe. */
public final class UnitQuantizer {

  /**
   * @param verify whether each file is reopened, decoded and compared with the source before it gets its final name
   * @param baselines whether plain rounding is measured also where the result does not need it
   */
  public record Options(boolean verify, boolean baselines) {}

  /** Borrows the checkpoint and the lane. */
  public UnitQuantizer(
      Checkpoint checkpoint, JobIdentity identity, ComputeBackend backend, ComputeLane lane, Options options) {}

  /** Bytes outside the heap that {@link #quantize} takes at most for a unit. Depends on the unit alone. */
  public static long memoryNeeded(Unit unit) {
    return 0;
  }

  /**
   * Makes {@code units/ID.arrow} in the output folder: written as {@code .arrow.part}, synced, proven, renamed, folder synced.
   * Throws an {@link io.cafeq.engine.failure.EngineException}, CHECKPOINT for a source at fault (NaN included), ENVIRONMENT
   * for a full disk, RESULT where the proof fails, STOPPED; leaves no file under the final name then.
   */
  public UnitReceipt quantize(Unit unit, Path outputFolder, StopFlag stop, Progress progress) {
    throw new UnsupportedOperationException();
  }
}

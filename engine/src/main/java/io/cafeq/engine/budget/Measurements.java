package io.cafeq.engine.budget;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.TensorReader;
import io.cafeq.engine.compute.ComputeBackend;
import io.cafeq.engine.compute.ComputeLane;
import io.cafeq.engine.failure.StopFlag;
import java.util.List;

/**
 * Runs measurements, each with a lane and a reader of its own. Borrows checkpoint and backend.
 *
 * @param inputs what is known of the inputs of pieces
 */
record Measurements(
    Checkpoint checkpoint,
    PieceInputs inputs,
    ComputeBackend backend,
    MeasuringLanes lanes,
    StopFlag stop) {
  /**
   * One measurement.
   *
   * @param memory native bytes that it takes at most, lane and reader not counted
   */
  record Task<R>(long memory, Work<R> work) {}

  /** What a measurement does. */
  interface Work<R> {
    R run(ComputeLane lane, TensorReader reader);
  }

  /**
   * The results in the order of the tasks. Of several failures the first in that order is thrown.
   */
  <R> List<R> all(List<Task<R>> tasks) {
    return lanes.all(
        tasks.stream()
            .map(
                task ->
                    new MeasuringLanes.Task<>(
                        task.memory() + TensorReader.SCRATCH_BYTES, () -> one(task)))
            .toList());
  }

  /**
   * The lane lives no longer than the task, since an encoder keeps room for each grid that it has
   * met.
   */
  private <R> R one(Task<R> task) {
    stop.check();
    try (ComputeLane lane = backend.openLane();
        TensorReader reader = checkpoint.newReader()) {
      return task.work().run(lane, reader);
    }
  }
}

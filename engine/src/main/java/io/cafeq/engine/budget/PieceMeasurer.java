package io.cafeq.engine.budget;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.TensorReader;
import io.cafeq.engine.compute.Compute;
import io.cafeq.engine.compute.ComputeLane;
import io.cafeq.engine.compute.Learner;
import io.cafeq.engine.compute.LearnerFailure;
import io.cafeq.engine.failure.StopFlag;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs measurements, each with a lane and a reader of its own. Borrows checkpoint and backend.
 *
 * @param inputs what is known of the inputs of pieces
 */
record PieceMeasurer(
    Checkpoint checkpoint,
    PieceInputs inputs,
    Compute compute,
    MeasuringLanes lanes,
    StopFlag stop) {
  private static final Logger LOG = LoggerFactory.getLogger(PieceMeasurer.class);

  /**
   * One measurement.
   *
   * @param memory native bytes that it takes at most, lane and reader not counted
   */
  record Task<R>(long memory, Work<R> work) {}

  /** What a measurement does. */
  interface Work<R> {
    R run(Learner learner, ComputeLane lane, TensorReader reader);
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
    try (ComputeLane lane = compute.backend().openLane();
        TensorReader reader = checkpoint.newReader()) {
      return run(task, lane, reader);
    }
  }

  /** Does the whole measurement anew on the CPU where the learner fails and allows it. */
  private <R> R run(Task<R> task, ComputeLane lane, TensorReader reader) {
    try {
      return task.work().run(compute.learner(), lane, reader);
    } catch (LearnerFailure failure) {
      if (!failure.fallsBack()) {
        throw failure;
      }
      LOG.info(
          "Learner {} failed while measuring, falling back to {}: {}",
          compute.learner().id(),
          compute.fallback().id(),
          failure.getMessage());
      return task.work().run(compute.fallback(), lane, reader);
    }
  }
}

package io.cafeq.engine.evaluate;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.forward.ForwardPass;
import io.cafeq.engine.memory.MatrixProducts;
import io.cafeq.engine.tokens.Windows;
import io.cafeq.engine.weights.SpilledStates;
import java.nio.file.Path;
import java.util.List;

/**
 * What an evaluation works with; all of it borrowed, on one thread.
 *
 * @param memory native bytes that it may take; its results do not depend on them
 * @param taken bytes that the rest of the process may take, so that {@code --max-memory} can be
 *     told
 * @param scratchFolder where a scratch file may be made, when the states of all windows are too
 *     much
 */
public record Resources(
    MatrixProducts products,
    long memory,
    long taken,
    Path scratchFolder,
    StopFlag stop,
    EvaluationWatcher watcher) {
  /**
   * A pass over windows.
   *
   * @param beside native bytes that are taken by other things at the same time
   * @param passes that share the rest
   * @throws EngineException with kind USAGE, saying how much more would do, where the memory is too
   *     small
   */
  ForwardPass pass(EvaluatedModel model, List<int[]> windows, long beside, int passes) {
    long share = share(model, windows, beside, passes);
    return ForwardPass.open(
        model.weights(), products, windows, share, SpilledStates.in(scratchFolder), stop);
  }

  /** Native bytes of each pass; throws as {@link #pass} does, before anything is read. */
  long share(EvaluatedModel model, List<int[]> windows, long beside, int passes) {
    long needed = ForwardPass.memoryNeeded(model.weights(), Windows.longest(windows));
    long share = (memory - beside) / passes;
    if (share < needed) {
      long least = beside + needed * passes;
      throw new EngineException(
          FailureKind.USAGE,
          "evaluating %s in windows of %d tokens takes %d MiB at once, but %d MiB are left for that"
              .formatted(
                  model.location(),
                  Windows.longest(windows),
                  Math.ceilDiv(least, 1L << 20),
                  memory >> 20),
          "Run again with --max-memory " + Math.ceilDiv(least + taken, 1L << 20) + "m or more.");
    }
    return share;
  }
}

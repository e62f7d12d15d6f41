package io.cafeq.engine.evaluate;

import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.memory.MatrixProducts;
import java.nio.file.Path;
import java.util.List;

/**
 * What an evaluation works with; all of it borrowed, on one thread.
 *
 * @param memory native bytes that it may take; its results do not depend on them
 * @param scratchFolder where a scratch file may be made, when the states of all windows are too much
 */
public record Resources(
    MatrixProducts products, long memory, Path scratchFolder, StopFlag stop, EvaluationWatcher watcher) {
  /** A pass over windows with what memory is left beside other things. */
  ForwardPass pass(EvaluatedModel model, List<int[]> windows, long memoryLeft) {
    return ForwardPass.open(
        model.weights(), products, windows, Math.max(0, memoryLeft), scratchFolder, stop);
  }
}

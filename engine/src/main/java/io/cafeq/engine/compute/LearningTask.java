package io.cafeq.engine.compute;

import io.cafeq.config.Loss;
import io.cafeq.engine.transform.LearnProblem;
import io.cafeq.engine.transform.PairLearner;
import io.cafeq.engine.transform.PairProblem;
import java.lang.foreign.Arena;
import java.util.List;

/** One thing to learn. Its size is known from the start; its weights are read by the learner. */
public sealed interface LearningTask {
  LearningShape shape();

  /** Blocks whose weights are in memory already, and stay there until they are learned. */
  static LearningTask of(LearnProblem problem, List<double[]> starts, Loss loss, int steps) {
    return new Blocks(
        LearningShape.Blocks.of(problem),
        loss,
        steps,
        false,
        arena -> new BlockStart(problem, starts));
  }

  /** A head whose factors are in memory already, and stay there until it is learned. */
  static LearningTask of(PairProblem problem, double[] start, PairLearner.Schedule schedule) {
    return new Pair(
        new LearningShape.Pair(
            problem.channels(), problem.left().positions(), problem.right().positions(), 0),
        schedule,
        arena -> new PairStart(problem, start));
  }

  /**
   * Reads what a task starts from. May throw an {@link io.cafeq.engine.failure.EngineException}.
   */
  interface Source<S> {
    /** Called on the thread that submitted the batch; weights are the arena's. */
    S read(Arena arena);
  }

  /**
   * Blocks of one side of a stack, by {@link io.cafeq.engine.transform.BlockLearner}.
   *
   * @param balanced whether the rows of the learned block, which is then the only one, are divided
   *     by the true ranges that they give in the end
   */
  record Blocks(
      LearningShape.Blocks shape, Loss loss, int steps, boolean balanced, Source<BlockStart> source)
      implements LearningTask {}

  /** One head of a pair, by {@link PairLearner}. */
  record Pair(LearningShape.Pair shape, PairLearner.Schedule schedule, Source<PairStart> source)
      implements LearningTask {}

  /**
   * @param starts the blocks to start from, row-major [k, k] each
   */
  record BlockStart(LearnProblem problem, List<double[]> starts) {}

  /**
   * @param start the M to start from, row-major [h, h]
   */
  record PairStart(PairProblem problem, double[] start) {}
}

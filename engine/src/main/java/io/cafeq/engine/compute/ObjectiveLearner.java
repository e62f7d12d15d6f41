package io.cafeq.engine.compute;

import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.memory.MemoryNeed;
import io.cafeq.engine.transform.BlockLearner;
import io.cafeq.engine.transform.Objective;
import io.cafeq.engine.transform.Objectives;
import io.cafeq.engine.transform.PairLearner;
import io.cafeq.engine.transform.PairObjective;
import java.lang.foreign.Arena;
import java.util.Iterator;
import java.util.List;
import java.util.function.Function;

/**
 * Learns on the CPU, on the thread that waits, one task after the other: losses are evaluated by a
 * backend, steps are our own.
 *
 * @param objectives of the backend
 * @param memory that evaluating a task takes, what reading it takes not counted
 */
public record ObjectiveLearner(
    String id,
    String kernel,
    String description,
    Objectives objectives,
    Function<LearningShape, MemoryNeed> memory)
    implements Learner {
  /**
   * M, both of Adam's moments, the best M, its inverse, the gradient, and the products of a step.
   */
  private static final long HEAP_BYTES_PER_SQUARE = 12 * Double.BYTES;

  @Override
  public boolean worksAhead() {
    return false;
  }

  @Override
  public MemoryNeed need(List<LearningShape> batch) {
    return batch.stream().distinct().map(this::need).reduce(MemoryNeed.NONE, MemoryNeed::max);
  }

  private MemoryNeed need(LearningShape shape) {
    return memory
        .apply(shape)
        .plus(MemoryNeed.host(shape.readBytes(), HEAP_BYTES_PER_SQUARE * shape.squares()));
  }

  @Override
  public Learning submit(List<? extends LearningTask> batch, StopFlag stop) {
    Iterator<? extends LearningTask> tasks = List.copyOf(batch).iterator();
    return new Learning() {
      @Override
      public LearningAnswer next() {
        return new LearningAnswer.Learned(learned(tasks.next(), stop));
      }

      @Override
      public void close() {}
    };
  }

  private List<double[]> learned(LearningTask task, StopFlag stop) {
    try (Arena arena = Arena.ofConfined()) {
      return switch (task) {
        case LearningTask.Blocks blocks -> blocks(blocks, blocks.source().read(arena), stop);
        case LearningTask.Pair pair -> List.of(pair(pair, pair.source().read(arena), stop));
      };
    }
  }

  private List<double[]> blocks(
      LearningTask.Blocks task, LearningTask.BlockStart start, StopFlag stop) {
    try (Objective objective = objectives.of(start.problem())) {
      List<double[]> learned =
          BlockLearner.learn(
              objective, start.problem().blocks(), start.starts(), task.loss(), task.steps(), stop);
      if (task.balanced()) {
        balance(learned.getFirst(), objective.hardShares(learned));
      }
      return learned;
    }
  }

  /** Divides the rows of M by the ranges that they give. */
  private static void balance(double[] m, double[] shares) {
    int k = shares.length;
    for (int j = 0; j < k; j++) {
      double range = Math.sqrt(shares[j]);
      for (int i = j * k; range > 0 && i < (j + 1) * k; i++) {
        m[i] /= range;
      }
    }
  }

  private double[] pair(LearningTask.Pair task, LearningTask.PairStart start, StopFlag stop) {
    try (PairObjective objective = objectives.of(start.problem())) {
      return PairLearner.learn(objective, start.start(), task.schedule(), stop);
    }
  }
}

package io.cafeq.engine.compute.nd4j;

import io.cafeq.engine.compute.Learner;
import io.cafeq.engine.compute.LearningShape;
import io.cafeq.engine.compute.ObjectiveLearner;
import io.cafeq.engine.memory.MemoryNeed;
import io.cafeq.engine.transform.LearnProblem;
import io.cafeq.engine.transform.Objective;
import io.cafeq.engine.transform.Objectives;
import io.cafeq.engine.transform.PairObjective;
import io.cafeq.engine.transform.PairProblem;

/** Losses in floats: products by OpenBLAS, ranges in plain loops. */
public final class Nd4jObjectives implements Objectives {
  /** The padding of the last tile, V of one tile, M and the gradient. */
  private static final long TILE_BYTES = 8L << 20;

  @Override
  public Objective of(LearnProblem problem) {
    return switch (problem) {
      case LearnProblem.Rows rows -> new BlockObjective(new RowRanges(rows), rows);
      case LearnProblem.Stripe stripe -> new BlockObjective(new StripeRanges(stripe), stripe);
    };
  }

  @Override
  public PairObjective of(PairProblem problem) {
    return switch (problem.loss()) {
      case EXPECTED_ERROR -> new ExpectedErrorObjective(problem);
      case LOG_SUM_EXP, SUM_OF_SQUARES, WEIGHTED_SUM_OF_SQUARES -> new PeakObjective(problem);
    };
  }

  /** W as tiles, of which a pair has two sets. */
  private static MemoryNeed need(LearningShape shape) {
    long sets =
        switch (shape) {
          case LearningShape.Blocks blocks -> 1;
          case LearningShape.Pair pair -> 2;
        };
    return MemoryNeed.host(Float.BYTES * shape.weights() + sets * TILE_BYTES, 0);
  }

  /** Found by ServiceLoader. */
  public static final class Provider implements Learner.Provider {
    @Override
    public String id() {
      return "nd4j";
    }

    @Override
    public int priority() {
      return 10;
    }

    @Override
    public Probe probe() {
      return Nd4jBackend.probe();
    }

    @Override
    public Learner create() {
      Nd4jBackend backend = new Nd4jBackend();
      return new ObjectiveLearner(
          backend.id(),
          backend.kernel(),
          backend.description(),
          new Nd4jObjectives(),
          Nd4jObjectives::need);
    }
  }
}

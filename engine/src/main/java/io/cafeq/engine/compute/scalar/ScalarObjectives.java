package io.cafeq.engine.compute.scalar;

import io.cafeq.engine.compute.Learner;
import io.cafeq.engine.compute.LearningShape;
import io.cafeq.engine.compute.ObjectiveLearner;
import io.cafeq.engine.memory.MemoryNeed;
import io.cafeq.engine.transform.LearnProblem;
import io.cafeq.engine.transform.Objective;
import io.cafeq.engine.transform.Objectives;
import io.cafeq.engine.transform.PairObjective;
import io.cafeq.engine.transform.PairProblem;

/** The reference: losses by their equations, in doubles on the heap. */
public final class ScalarObjectives implements Objectives {
  /** W, V and the slopes in doubles. */
  private static final long HEAP_BYTES_PER_WEIGHT = 3L * Double.BYTES;

  @Override
  public Objective of(LearnProblem problem) {
    return new ScalarObjective(problem);
  }

  @Override
  public PairObjective of(PairProblem problem) {
    return new ScalarPairObjective(problem);
  }

  private static MemoryNeed need(LearningShape shape) {
    return MemoryNeed.host(0, HEAP_BYTES_PER_WEIGHT * shape.weights());
  }

  /** Found by ServiceLoader. */
  public static final class Provider implements Learner.Provider {
    @Override
    public String id() {
      return "scalar";
    }

    @Override
    public int priority() {
      return 0;
    }

    @Override
    public Probe probe() {
      return new Probe.Available("plain Java");
    }

    @Override
    public Learner create() {
      ScalarBackend backend = new ScalarBackend();
      return new ObjectiveLearner(
          backend.id(),
          backend.kernel(),
          backend.description(),
          new ScalarObjectives(),
          ScalarObjectives::need);
    }
  }
}

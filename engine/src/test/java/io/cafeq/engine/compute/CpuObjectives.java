package io.cafeq.engine.compute;

import io.cafeq.engine.transform.Objectives;

/** The losses that the learners of the CPU evaluate. */
final class CpuObjectives {
  private CpuObjectives() {}

  /** Those of the learner called {@code id}. */
  static Objectives of(String id) {
    return ((ObjectiveLearner) Learners.open(id)).objectives();
  }
}

package io.cafeq.engine.compute;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import org.junit.jupiter.api.BeforeEach;

@Numerics
class Nd4jContractTest extends ComputeBackendContract {
  @BeforeEach
  void onlyWhereItWorks() {
    assumeTrue(WorkingBackends.all().anyMatch("nd4j"::equals));
  }

  @Override
  protected Learner learner() {
    return Learners.open("nd4j");
  }

  @Override
  protected ComputeBackend backend() {
    return Backends.open("nd4j");
  }
}

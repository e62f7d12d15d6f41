package io.cafeq.engine.compute;

@Numerics
class ScalarContractTest extends ComputeBackendContract {
  @Override
  protected Learner learner() {
    return Learners.open("scalar");
  }

  @Override
  protected ComputeBackend backend() {
    return Backends.open("scalar");
  }
}

package io.cafeq.engine.device;

import io.cafeq.engine.compute.Learner;
import io.cafeq.engine.compute.LearnerContract;

/** The learners' contract, kept by a provider of another package that works ahead. */
class DeviceContractTest extends LearnerContract {
  private final Learner device = new DeviceLearner(DeviceLearner.Behaviour.WELL);

  @Override
  protected Learner learner() {
    return device;
  }
}

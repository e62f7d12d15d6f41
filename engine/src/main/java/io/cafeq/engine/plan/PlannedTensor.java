package io.cafeq.engine.plan;

import io.cafeq.engine.checkpoint.TensorInfo;

/** A tensor with the part it plays in the model. */
public record PlannedTensor(TensorInfo info, Role role) {
  public String name() {
    return info.name();
  }
}

package io.cafeq.engine.plan;

import io.cafeq.engine.checkpoint.TensorInfo;

/** A tensor with the part it plays in the model, such as {@code q_proj}, {@code norm} or {@code embedding}. */
public record PlannedTensor(TensorInfo info, String role) {
  public String name() {
    return info.name();
  }
}

package io.cafeq.engine.plan;

import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.checkpoint.WeightTensor;
import io.cafeq.engine.family.Role;

/**
 * A tensor with the part it plays in the model.
 *
 * @param weight what it means where it is quantized; for tensors that keep their bytes the layout
 *     has no meaning
 */
public record PlannedTensor(WeightTensor weight, Role role) {
  /** A tensor stored as [out, in], or one that keeps its bytes. */
  public PlannedTensor(TensorInfo info, Role role) {
    this(WeightTensor.plain(info), role);
  }

  public TensorInfo info() {
    return weight.info();
  }

  public String name() {
    return info().name();
  }
}

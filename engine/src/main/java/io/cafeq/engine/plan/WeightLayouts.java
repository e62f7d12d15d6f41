package io.cafeq.engine.plan;

import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.checkpoint.WeightTensor;
import io.cafeq.engine.checkpoint.WeightTensors;
import io.cafeq.engine.family.ModelFamily;
import java.util.Optional;

/** What stored tensors mean as weights. */
final class WeightLayouts {
  private final WeightTensors tensors;

  WeightLayouts(WeightTensors tensors) {
    this.tensors = tensors;
  }

  /** Empty where the tensor is no matrix of weights that can be read, or a stack, which only a family can explain. */
  Optional<WeightTensor> weight(TensorInfo info, ModelFamily.Place place) {
    return switch (tensors.read(info, place.transposed())) {
      case WeightTensors.Reading.Weights(WeightTensor weight) ->
          weight.isStack() && place.experts().isEmpty() ? Optional.empty() : Optional.of(weight);
      case WeightTensors.Reading.NoWeights no -> Optional.empty();
    };
  }

  /** Whether the tensor goes into another one's weights, as scales do. */
  boolean isCompanion(TensorInfo info) {
    return tensors.companions().containsKey(info.name());
  }
}

package io.cafeq.engine.plan;

import com.fasterxml.jackson.databind.JsonNode;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.checkpoint.WeightTensor;
import io.cafeq.engine.checkpoint.WeightTensors;
import io.cafeq.engine.family.ModelFamily;
import java.util.Collection;
import java.util.Optional;

/** What stored tensors mean as weights. */
final class WeightLayouts {
  private final WeightTensors tensors;

  WeightLayouts(Collection<TensorInfo> tensors, JsonNode config) {
    this.tensors = WeightTensors.of(tensors, config);
  }

  /** Empty where the tensor is no matrix of weights that can be read, or a stack, which only a family can explain. */
  Optional<WeightTensor> weight(TensorInfo info, ModelFamily.Place place) {
    return switch (tensors.read(info, place.transposed())) {
      case WeightTensors.Reading.Weights(WeightTensor weight) ->
          weight.isStack() && place.experts().isEmpty() ? Optional.empty() : Optional.of(weight);
      case WeightTensors.Reading.NoWeights no -> Optional.empty();
    };
  }

  /** Whether the tensor holds another one's scales. */
  boolean isScales(TensorInfo info) {
    return tensors.scales().containsKey(info.name());
  }
}

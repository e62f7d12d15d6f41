package io.cafeq.engine.plan;

import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.checkpoint.WeightLayout;
import io.cafeq.engine.checkpoint.WeightTensor;
import java.util.Optional;

/** What stored tensors mean as weights. */
final class WeightLayouts {
  /** Empty where the tensor is no matrix of weights that can be read. */
  Optional<WeightTensor> weight(TensorInfo info, ModelFamily.Place place) {
    boolean isMatrix = info.shape().size() == 2 || info.shape().size() == 3;
    boolean isSized = info.shape().stream().allMatch(length -> length > 0 && length <= Integer.MAX_VALUE);
    if (!isMatrix || !isSized || !info.dtype().isWeight()) {
      return Optional.empty();
    }
    return Optional.of(new WeightTensor(
        info, place.transposed() ? new WeightLayout.Transposed() : new WeightLayout.Plain()));
  }
}

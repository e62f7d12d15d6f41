package io.cafeq.engine.plan;

import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.family.KeptReason;
import io.cafeq.engine.family.Role;
import java.util.EnumMap;
import java.util.Map;

/** Adds up a {@link Coverage} while a plan is made. */
final class CoverageCounter {
  private long quantized;
  private long inLayers;
  private boolean canInclude;
  private final Map<KeptReason, Long> kept = new EnumMap<>(KeptReason.class);

  void quantized(Role role, long weights) {
    quantized += weights;
    if (role != Role.EMBEDDING && role != Role.HEAD) {
      inLayers += weights;
    }
  }

  /**
   * Vectors are no matrix weights and do not count.
   *
   * @param readable whether it could be quantized
   */
  void kept(TensorInfo tensor, KeptReason reason, long weights, boolean readable) {
    if (tensor.shape().size() > 1 && weights > 0) {
      kept.merge(reason, weights, Long::sum);
      canInclude |= readable && reason != KeptReason.RECIPE;
    }
  }

  Coverage total() {
    return new Coverage(quantized, inLayers, kept, canInclude);
  }
}

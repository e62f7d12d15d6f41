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
  private final Map<KeptReason, Long> kept = new EnumMap<>(KeptReason.class);

  void quantized(Role role, long weights) {
    quantized += weights;
    if (role != Role.EMBEDDING && role != Role.HEAD) {
      inLayers += weights;
    }
  }

  /** Vectors are no matrix weights and do not count. */
  void kept(TensorInfo tensor, KeptReason reason, long weights) {
    if (tensor.shape().size() > 1 && weights > 0) {
      kept.merge(reason, weights, Long::sum);
    }
  }

  Coverage total() {
    return new Coverage(quantized, inLayers, kept);
  }
}

package io.cafeq.engine.family;

import java.util.List;
import java.util.Optional;

/** Finds the reason for which a tensor keeps its bytes. */
final class KeptReasons {
  private KeptReasons() {}

  static KeptReason of(
      ModelStructure structure, LayerRoles roles, Role role, String name, List<Long> shape) {
    return switch (structure.region(name, shape)) {
      case OTHER_MODALITY -> KeptReason.OTHER_MODALITY;
      case UNUSED_LAYER -> KeptReason.UNUSED_LAYERS;
      case LAYER ->
          byRole(role)
              .orElseGet(
                  () ->
                      structure.isTable(name, shape)
                          ? KeptReason.EMBEDDINGS
                          : roles.find(name).map(KeptReasons::inLayer).orElse(KeptReason.STEERING));
      case VOCABULARY -> byRole(role).orElse(KeptReason.EMBEDDINGS);
      case OUTSIDE -> byRole(role).orElse(KeptReason.OUTSIDE);
    };
  }

  /** Empty for matrices, and for what has no role. */
  private static Optional<KeptReason> byRole(Role role) {
    return switch (role) {
      case EMBEDDING, HEAD -> Optional.of(KeptReason.EMBEDDINGS);
      case ROUTER, NORM, BIAS, SCALE -> Optional.of(KeptReason.STEERING);
      case OTHER,
          QUERY,
          QUERY_COMPRESSION,
          KEY,
          VALUE,
          QUERY_KEY_VALUE,
          KEY_VALUE_COMPRESSION,
          QUERY_EXPANSION,
          KEY_VALUE_EXPANSION,
          ATTENTION_OUTPUT,
          MIXER_INPUT,
          MIXER_OUTPUT,
          GATE,
          UP,
          GATE_UP,
          DOWN,
          MATRIX ->
          Optional.empty();
    };
  }

  private static KeptReason inLayer(LayerRoles.Found found) {
    return switch (found) {
      case LayerRoles.Found.Multiplied multiplied -> KeptReason.FAMILY;
      case LayerRoles.Found.Steering steering -> KeptReason.STEERING;
      case LayerRoles.Found.Unclear unclear -> KeptReason.UNREADABLE;
    };
  }
}

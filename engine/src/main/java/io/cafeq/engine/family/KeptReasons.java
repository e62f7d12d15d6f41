package io.cafeq.engine.family;

import io.cafeq.engine.family.ModelStructure.Region;
import java.util.List;

/** Finds the reason for which a tensor keeps its bytes. */
final class KeptReasons {
  private KeptReasons() {}

  static KeptReason of(
      ModelStructure structure, LayerRoles roles, Role role, String name, List<Long> shape) {
    Region region = structure.region(name, shape);
    if (region == Region.OTHER_MODALITY) {
      return KeptReason.OTHER_MODALITY;
    }
    if (region == Region.UNUSED_LAYER) {
      return KeptReason.UNUSED_LAYERS;
    }
    return switch (role) {
      case EMBEDDING, HEAD -> KeptReason.EMBEDDINGS;
      case ROUTER, NORM, BIAS, SCALE -> KeptReason.STEERING;
      case OTHER, QUERY, QUERY_COMPRESSION, KEY, VALUE, QUERY_KEY_VALUE, KEY_VALUE_COMPRESSION, QUERY_EXPANSION,
          KEY_VALUE_EXPANSION, ATTENTION_OUTPUT, MIXER_INPUT, MIXER_OUTPUT, GATE, UP, GATE_UP, DOWN, MATRIX ->
          inRegion(region, structure, roles, name, shape);
    };
  }

  private static KeptReason inRegion(
      Region region, ModelStructure structure, LayerRoles roles, String name, List<Long> shape) {
    return switch (region) {
      case LAYER -> structure.isTable(name, shape)
          ? KeptReason.EMBEDDINGS
          : roles.find(name).map(KeptReasons::inLayer).orElse(KeptReason.STEERING);
      case VOCABULARY -> KeptReason.EMBEDDINGS;
      case OUTSIDE -> KeptReason.OUTSIDE;
      case UNUSED_LAYER -> KeptReason.UNUSED_LAYERS;
      case OTHER_MODALITY -> KeptReason.OTHER_MODALITY;
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

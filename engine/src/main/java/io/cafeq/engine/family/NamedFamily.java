package io.cafeq.engine.family;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** The description of a family whose names have been looked at. */
record NamedFamily(
    String name,
    Set<String> modelTypes,
    LayerNames layers,
    OuterNames outer,
    AttentionKind attention) {
  NamedFamily {
    modelTypes = Set.copyOf(modelTypes);
  }

  /** Whether config.json's {@code model_type} is of this family. */
  boolean accepts(String modelType) {
    return modelTypes.contains(modelType);
  }

  /** The family's view of one model. */
  ModelFamily forModel(JsonNode config, Map<String, List<Long>> shapes) {
    return new KnownModel(this, config, shapes);
  }
}

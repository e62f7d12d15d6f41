package io.cafeq.engine.family;

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
}

package io.cafeq.engine.family;

import java.util.Optional;
import java.util.Set;

/** The description of a family whose names have been looked at. */
record NamedFamily(
    String name,
    Set<String> modelTypes,
    LayerNames layers,
    OuterNames outer,
    AttentionKind attention,
    Optional<DecoderTraits> decoder) {
  NamedFamily {
    modelTypes = Set.copyOf(modelTypes);
  }

  /** A family of which names alone are known. */
  NamedFamily(
      String name,
      Set<String> modelTypes,
      LayerNames layers,
      OuterNames outer,
      AttentionKind attention) {
    this(name, modelTypes, layers, outer, attention, Optional.empty());
  }

  /** The same where it is known what its models compute. */
  NamedFamily computing(DecoderTraits traits) {
    return new NamedFamily(name, modelTypes, layers, outer, attention, Optional.of(traits));
  }

  /** Whether config.json's {@code model_type} is of this family. */
  boolean accepts(String modelType) {
    return modelTypes.contains(modelType);
  }
}

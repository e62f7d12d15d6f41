package io.cafeq.engine.plan;

import java.util.Optional;

/** How the checkpoints of one kind of model name their tensors. Those that are known stand in {@link Families}. */
interface ModelFamily {
  /** As it stands in plans and manifests. */
  String name();

  /** Whether config.json's {@code model_type} is of this family. */
  boolean accepts(String modelType);

  Place place(String tensorName);

  /**
   * Where a tensor stands in the model.
   *
   * @param input tensors with the same text read the same input and may share a transform; their unit's ID starts so
   */
  record Place(Role role, Optional<String> input) {
    static Place of(Role role) {
      return new Place(role, Optional.empty());
    }
  }
}

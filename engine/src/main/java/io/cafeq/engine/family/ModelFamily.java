package io.cafeq.engine.family;

import io.cafeq.engine.checkpoint.TensorInfo;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * Roles of the tensors of one model, by its family's names or by structure. {@link
 * ModelDescription} finds it.
 */
public interface ModelFamily {
  /** Name in plans and manifests. */
  String name();

  /** Whether its names are known. */
  default boolean isKnown() {
    return true;
  }

  /**
   * Place of a tensor; names without a tensor, such as those of tied ones, are judged by
   * themselves.
   */
  Place place(String tensorName);

  /**
   * Returns why a tensor keeps its bytes by default.
   *
   * @param shape [out, in] or [experts, out, in] where it is packed
   */
  KeptReason reason(String tensorName, List<Long> shape);

  /** The layer of a tensor, from 0; empty for what is in no layer that the model uses. */
  default OptionalInt layer(String tensorName) {
    return OptionalInt.empty();
  }

  /**
   * Pairs that the model allows, from config.json and from the shapes that are there.
   *
   * @param tensors the stored tensors by name
   */
  default Couplings couplings(Map<String, TensorInfo> tensors) {
    return new Couplings(List.of(), List.of());
  }

  /**
   * Where queries, values and outputs of attention are, of each layer where that is certain.
   *
   * @param tensors the stored tensors by name
   */
  default List<AttentionRows> attentionRows(Map<String, TensorInfo> tensors) {
    return List.of();
  }

  /** Whether the rows of a fused matrix of gate and up take turns, the gate's first. */
  default boolean alternatesGateAndUp() {
    return false;
  }

  /** The names of a layer's norms between the residual stream and its readers and writers. */
  default StreamNorms streamNorms(String layerPrefix) {
    return StreamNorms.NONE;
  }

  /**
   * Place of a tensor in the model.
   *
   * @param input tensors with the same text read the same input and may share a transform; their
   *     unit's ID starts so
   * @param experts where the tensor is of one expert, or of all stacked: what all experts of the
   *     layer have in common; their tensors of one kind share a file whose ID starts so
   * @param transposed whether it is stored as [in, out], or as a stack of such matrices
   */
  record Place(Role role, Optional<String> input, Optional<String> experts, boolean transposed) {
    public Place(Role role, Optional<String> input) {
      this(role, input, Optional.empty(), false);
    }

    public static Place of(Role role) {
      return new Place(role, Optional.empty());
    }

    Place reading(String sharedInput) {
      return new Place(role, Optional.of(sharedInput), experts, transposed);
    }
  }

  /**
   * @param legal in the order of the layers
   * @param refused why some layers or the whole model have no pairs, each a sentence for people
   */
  record Couplings(List<Coupling> legal, List<String> refused) {
    public Couplings {
      legal = List.copyOf(legal);
      refused = List.copyOf(refused);
    }
  }
}

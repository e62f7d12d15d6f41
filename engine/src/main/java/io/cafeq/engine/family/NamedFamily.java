package io.cafeq.engine.family;

import com.fasterxml.jackson.databind.JsonNode;
import io.cafeq.engine.checkpoint.TensorInfo;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/**
 * A family whose names have been looked at.
 *
 * @param layerCount layers that the model uses. Checkpoints may hold more, which predict further tokens; those keep
 *     their bytes
 */
record NamedFamily(
    String name, Set<String> modelTypes, LayerNames layers, OuterNames outer, AttentionKind attention,
    OptionalInt layerCount) implements ModelFamily {

  NamedFamily {
    modelTypes = Set.copyOf(modelTypes);
  }

  /** A family for any number of layers. */
  static NamedFamily of(
      String name, Set<String> modelTypes, LayerNames layers, OuterNames outer, AttentionKind attention) {
    return new NamedFamily(name, modelTypes, layers, outer, attention, OptionalInt.empty());
  }

  /** The family for one model. */
  NamedFamily forModel(JsonNode config) {
    return new NamedFamily(name, modelTypes, layers, outer, attention, TextConfig.of(config).layers());
  }

  @Override
  public boolean accepts(String modelType) {
    return modelTypes.contains(modelType);
  }

  @Override
  public Place place(String tensorName) {
    return layers.locate(tensorName)
        .flatMap(found -> layers.matrix(found.name()).map(matrix -> place(found, matrix)))
        .or(() -> outer.role(tensorName).map(Place::of))
        // A tower's own embeddings are not the text model's, which --embeddings means.
        .or(() -> CommonNames.role(tensorName)
            .filter(role -> role != Role.EMBEDDING && role != Role.HEAD)
            .map(Place::of))
        .orElseGet(() -> Place.of(Role.OTHER));
  }

  @Override
  public OptionalInt layer(String tensorName) {
    return layers.locate(tensorName)
        .map(LayerNames.InLayer::layer)
        .filter(layer -> layerCount.isEmpty() || layer < layerCount.getAsInt())
        .map(OptionalInt::of)
        .orElse(OptionalInt.empty());
  }

  @Override
  public Couplings couplings(JsonNode config, Map<String, TensorInfo> tensors) {
    return PairFinder.find(TextConfig.of(config), layers, attention, tensors);
  }

  private Place place(LayerNames.InLayer found, LayerNames.Matrix matrix) {
    if (layerCount.isPresent() && found.layer() >= layerCount.getAsInt()) {
      return new Place(Role.OTHER, Optional.empty(), Optional.empty(), matrix.transposed());
    }
    return new Place(matrix.role(), matrix.input().map(input -> found.prefix() + input),
        matrix.experts().map(experts -> found.prefix() + experts), matrix.transposed());
  }
}

package io.cafeq.engine.family;

import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.modelconfig.TextConfig;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/**
 * One model of a family whose names are known. Names may have any prefix that leads to the text
 * model's layers; and what the family does not name in those layers, such as experts stored as one
 * stack, is found by its structure.
 */
final class KnownModel implements ModelFamily {
  /** The one family that stores a gate's row, then one of up, and so on. */
  private static final String ALTERNATING = "gpt_oss";

  /** Families whose computation is not known here, but that their norms are 1 + w. */
  private static final Set<String> STORED_MINUS_ONE = Set.of("qwen3_next");

  private final NamedFamily family;
  private final TextConfig config;
  private final ModelStructure structure;
  private final LayerRoles roles;
  private final LayerNames layers;
  private final Wrapping wrapping;
  private final LayerShapes layerShapes;

  KnownModel(NamedFamily family, TextConfig config, ModelStructure structure) {
    this.family = family;
    this.config = config;
    this.structure = structure;
    this.wrapping = Wrapping.of(structure.layers(), family.layers());
    this.layers = family.layers().wrapped(wrapping);
    this.layerShapes = new LayerShapes(structure.layers(), structure.hidden());
    this.roles = new LayerRoles(structure, layerShapes);
  }

  @Override
  public String name() {
    return family.name();
  }

  @Override
  public Place place(String tensorName) {
    return layers
        .locate(tensorName)
        .flatMap(found -> layers.matrix(found.name()).map(matrix -> place(found, matrix)))
        .or(() -> outerRole(tensorName).map(Place::of))
        // A tower's own embeddings are not the text model's, which --embeddings means.
        .or(
            () ->
                CommonNames.role(tensorName)
                    .filter(role -> role != Role.EMBEDDING && role != Role.HEAD)
                    .map(Place::of))
        .or(() -> byStructure(tensorName))
        .orElseGet(() -> Place.of(Role.OTHER));
  }

  private Optional<Role> outerRole(String tensorName) {
    return family
        .outer()
        .role(tensorName)
        .or(() -> wrapping.unwrapped(tensorName).flatMap(family.outer()::role));
  }

  /** Experts read the layer's input together, as those that the family names do. */
  private Optional<Place> byStructure(String tensorName) {
    return layerShapes
        .find(tensorName)
        .filter(at -> isUsed(at.number()))
        .flatMap(at -> roles.find(tensorName))
        .flatMap(LayerRoles.Found::place)
        .map(
            place ->
                place.role() == Role.DOWN
                    ? place
                    : place.experts().map(place::reading).orElse(place));
  }

  @Override
  public KeptReason reason(String tensorName, List<Long> shape) {
    return KeptReasons.of(structure, roles, place(tensorName).role(), tensorName, shape);
  }

  @Override
  public OptionalInt layer(String tensorName) {
    return layers
        .locate(tensorName)
        .map(LayerNames.InLayer::layer)
        .filter(this::isUsed)
        .map(OptionalInt::of)
        .orElse(OptionalInt.empty());
  }

  private boolean isUsed(int layer) {
    return layer < config.layers().orElse(Integer.MAX_VALUE);
  }

  @Override
  public Couplings couplings(Map<String, TensorInfo> tensors) {
    return PairFinder.find(config, layers, layerShapes, family.attention(), tensors);
  }

  @Override
  public List<AttentionRows> attentionRows(Map<String, TensorInfo> tensors) {
    return PairFinder.attentionRows(config, layers, layerShapes, family.attention(), tensors);
  }

  @Override
  public boolean alternatesGateAndUp() {
    return family.name().equals(ALTERNATING);
  }

  @Override
  public StreamNorms streamNorms(String layerPrefix) {
    return StreamNorms.of(layerShapes.names(layerPrefix), layerPrefix, storedMinusOne());
  }

  private boolean storedMinusOne() {
    return family.decoder().isPresent()
        ? family.decoder().get().norms().storedMinusOne()
        : STORED_MINUS_ONE.contains(family.name());
  }

  private Place place(LayerNames.InLayer found, LayerNames.Matrix matrix) {
    boolean transposed =
        layerShapes.isTransposed(found.prefix() + found.name(), matrix.transposed());
    if (!isUsed(found.layer())) {
      return new Place(Role.OTHER, Optional.empty(), Optional.empty(), transposed);
    }
    return new Place(
        matrix.role(),
        matrix.input().map(input -> found.prefix() + input),
        matrix.experts().map(experts -> found.prefix() + experts),
        transposed);
  }
}

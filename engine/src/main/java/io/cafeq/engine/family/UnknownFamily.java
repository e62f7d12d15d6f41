package io.cafeq.engine.family;

import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A model of a family that is not listed: every matrix in the text model's layers is quantized by
 * itself, but for those that steer; nothing outside the layers is touched, nothing is shared and
 * nothing is paired.
 */
final class UnknownFamily implements ModelFamily {
  private final ModelStructure structure;
  private final LayerRoles roles;
  private final Map<String, List<Long>> shapes;

  UnknownFamily(ModelStructure structure, Map<String, List<Long>> shapes) {
    this.structure = structure;
    this.roles = new LayerRoles(structure, new LayerShapes(structure.layers(), structure.hidden()));
    this.shapes = shapes;
  }

  @Override
  public String name() {
    return "unknown";
  }

  @Override
  public boolean isKnown() {
    return false;
  }

  @Override
  public Place place(String tensorName) {
    List<Long> shape = shapes.getOrDefault(tensorName, List.of());
    Optional<Role> common = CommonNames.role(tensorName);
    return switch (structure.region(tensorName, shape)) {
      case LAYER -> inLayer(tensorName, common);
      case VOCABULARY -> Place.of(ofVocabulary(tensorName, common));
      case OUTSIDE -> Place.of(common.orElse(Role.OTHER));
      case UNUSED_LAYER, OTHER_MODALITY ->
          Place.of(
              common
                  .filter(role -> role != Role.EMBEDDING && role != Role.HEAD)
                  .orElse(Role.OTHER));
    };
  }

  private Place inLayer(String tensorName, Optional<Role> common) {
    if (common.isPresent() && (common.get() == Role.SCALE || common.get() == Role.BIAS)) {
      return Place.of(common.get());
    }
    return roles
        .find(tensorName)
        .flatMap(LayerRoles.Found::place)
        .orElseGet(
            () ->
                Place.of(
                    common
                        .filter(role -> role != Role.EMBEDDING && role != Role.HEAD)
                        .orElse(Role.OTHER)));
  }

  private static Role ofVocabulary(String tensorName, Optional<Role> common) {
    if (common.isPresent()) {
      return common.get();
    }
    NameWords words = NameWords.of(tensorName);
    return words.hasAny(LayerWords.EMBEDDINGS) && !words.hasAny(LayerWords.HEADS)
        ? Role.EMBEDDING
        : Role.HEAD;
  }

  @Override
  public KeptReason reason(String tensorName, List<Long> shape) {
    return KeptReasons.of(structure, roles, place(tensorName).role(), tensorName, shape);
  }
}

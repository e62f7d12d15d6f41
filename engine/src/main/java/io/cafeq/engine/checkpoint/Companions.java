package io.cafeq.engine.checkpoint;

import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Finds the tensors that go with a quantized one, by the names that quantizers give them. */
record Companions(Map<String, TensorInfo> byName) {
  private static final String WEIGHT = ".weight";

  /** In all of these conventions weights are multiplied by the scales, whatever "inv" suggests. */
  private static final List<String> SCALES = List.of("scale_inv", "scale", "scales");

  /** The scales of a tensor of 8-bit floats; the first where there are several. */
  Optional<TensorInfo> anyScales(TensorInfo weight) {
    return SCALES.stream().flatMap(ending -> find(weight, ending).stream()).findFirst();
  }

  /**
   * {@code X.weight_ENDING} or {@code X.ENDING} for X.weight; {@code X_ENDING}, {@code
   * X_weight_ENDING} for others.
   */
  Optional<TensorInfo> find(TensorInfo weight, String ending) {
    return names(weight.name(), ending).stream()
        .flatMap(name -> Optional.ofNullable(byName.get(name)).stream())
        .findFirst();
  }

  static List<String> names(String weight, String ending) {
    String stem = stem(weight);
    return stem.equals(weight)
        ? List.of(weight + "_" + ending, weight + "_weight_" + ending, weight + "." + ending)
        : List.of(weight + "_" + ending, stem + "." + ending);
  }

  /** The module of {@code X.weight}; other names as they are. */
  static String stem(String weight) {
    return weight.endsWith(WEIGHT)
        ? weight.substring(0, weight.length() - WEIGHT.length())
        : weight;
  }
}

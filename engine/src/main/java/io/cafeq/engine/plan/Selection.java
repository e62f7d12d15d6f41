package io.cafeq.engine.plan;

import io.cafeq.config.Method;
import io.cafeq.config.Recipe;
import io.cafeq.config.TensorOverride;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.checkpoint.WeightTensor;
import io.cafeq.engine.family.Role;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Which tensors are quantized, and with which settings.
 *
 * <p>Of all overrides that match a tensor, the last one that names a key decides that key. Embeddings are looked up and
 * not multiplied, so they never get a transform; neither does a head that {@code embeddings} asks for.
 */
final class Selection {
  private final Recipe recipe;
  private final Warnings warnings;
  private final NamePatterns patterns = new NamePatterns();
  private final Set<String> withoutEffect = new HashSet<>();

  Selection(Recipe recipe, Warnings warnings) {
    this.recipe = recipe;
    this.warnings = warnings;
  }

  /** @param names of each tensor, its own and those tied to it */
  void requireUsedPatterns(List<List<String>> names, String modelName) {
    List<Map.Entry<String, String>> written = new ArrayList<>();
    recipe.include().forEach(pattern -> written.add(Map.entry("include", pattern)));
    recipe.exclude().forEach(pattern -> written.add(Map.entry("exclude", pattern)));
    recipe.overrides().forEach(override -> written.add(Map.entry("override", override.pattern())));
    patterns.requireUse(written, names, modelName);
    withoutEffect.addAll(recipe.include());
    recipe.overrides().stream()
        .filter(override -> !override.method().equals(Optional.of(Method.NONE)))
        .forEach(override -> withoutEffect.add(override.pattern()));
  }

  /** Empty where the tensor keeps its bytes. */
  Optional<TensorSettings> settings(
      TensorInfo tensor, Optional<WeightTensor> weight, List<String> names, Role role) {
    boolean excluded = matchesAny(recipe.exclude(), names);
    boolean included = matchesAny(recipe.include(), names);
    boolean asEmbedding = recipe.embeddings().isPresent() && (role == Role.EMBEDDING || role == Role.HEAD);
    boolean byDefault = recipe.include().isEmpty() && role.isLinear();
    if (excluded || weight.isEmpty()) {
      if (!excluded && (included || byDefault)) {
        warnings.add("No matrix of floats that can be read, so it keeps its bytes", tensor.name());
      }
      return Optional.empty();
    }
    if (!included && !asEmbedding && !byDefault) {
      if (role == Role.OTHER && recipe.include().isEmpty()) {
        warnings.add("A matrix that the model's family does not name keeps its bytes unless include matches it",
            tensor.name());
      }
      return Optional.empty();
    }
    TensorSettings settings = TensorSettings.of(recipe);
    if (asEmbedding) {
      // "none" is about the model's linear layers; whoever asks for embeddings too wants those rounded.
      settings = new TensorSettings(Method.RTN, settings.bits(), settings.group(), settings.scales(), settings.block(),
          settings.side()).withBits(recipe.embeddings().getAsInt());
    }
    for (TensorOverride override : recipe.overrides()) {
      if (patterns.matches(override.pattern(), names)) {
        settings = settings.with(override);
      }
    }
    if (asEmbedding || role == Role.EMBEDDING) {
      settings = settings.plain();
    }
    if (settings.method() == Method.NONE) {
      return Optional.empty();
    }
    withoutEffect.removeIf(pattern -> patterns.matches(pattern, names));
    return Optional.of(settings);
  }

  /** To be called once all tensors have been asked for. */
  void warnOfPatternsWithoutEffect() {
    Stream.concat(recipe.include().stream(), recipe.overrides().stream().map(TensorOverride::pattern))
        .filter(withoutEffect::contains)
        .forEach(pattern -> warnings.add("'" + pattern + "' matches only tensors that keep their bytes."));
  }

  private boolean matchesAny(List<String> candidates, List<String> names) {
    return candidates.stream().anyMatch(pattern -> patterns.matches(pattern, names));
  }
}

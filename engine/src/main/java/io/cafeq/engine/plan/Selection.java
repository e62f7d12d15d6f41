package io.cafeq.engine.plan;

import io.cafeq.config.Method;
import io.cafeq.config.Recipe;
import io.cafeq.config.ScaleStorage;
import io.cafeq.config.Target;
import io.cafeq.config.TensorOverride;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.checkpoint.WeightTensor;
import io.cafeq.engine.family.ModelFamily;
import io.cafeq.engine.family.Role;
import io.cafeq.engine.target.TargetGrids;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Which tensors are quantized, and with which settings.
 *
 * <p>Of all overrides that match a tensor, the last one that names a key decides that key.
 * Embeddings are looked up and not multiplied, so they never get a transform; neither does a head
 * that {@code embeddings} asks for.
 */
final class Selection {
  private static final int GGUF_EMBEDDINGS = 6;

  /** Fate of a tensor. */
  sealed interface Choice {
    record Quantized(TensorSettings settings) implements Choice {}

    /** The recipe takes a matrix out that would be quantized. */
    record LeftByRecipe() implements Choice {}

    /** It is to be quantized and cannot be read. */
    record Unreadable() implements Choice {}

    /** The model's family leaves it alone. */
    record Kept() implements Choice {}
  }

  private final Recipe recipe;
  private final Warnings warnings;
  private final NamePatterns patterns = new NamePatterns();
  private final Set<String> withoutEffect = new HashSet<>();

  Selection(Recipe recipe, Warnings warnings) {
    this.recipe = recipe;
    this.warnings = warnings;
  }

  /**
   * @param names of each tensor, its own and those tied to it
   */
  void requireUsedPatterns(List<List<String>> names, String modelName) {
    List<Map.Entry<String, String>> written = new ArrayList<>();
    recipe.tensors().include().forEach(pattern -> written.add(Map.entry("include", pattern)));
    recipe.tensors().exclude().forEach(pattern -> written.add(Map.entry("exclude", pattern)));
    recipe
        .tensors()
        .overrides()
        .forEach(override -> written.add(Map.entry("override", override.pattern())));
    patterns.requireUse(written, names, modelName);
    withoutEffect.addAll(recipe.tensors().include());
    recipe.tensors().overrides().stream()
        .filter(override -> !override.method().equals(Optional.of(Method.NONE)))
        .forEach(override -> withoutEffect.add(override.pattern()));
  }

  /** Whether the tensor of these names keeps its bytes whatever it is. */
  boolean isExcluded(List<String> names) {
    return matchesAny(recipe.tensors().exclude(), names);
  }

  /** Selects a tensor; {@code weight} is empty where it cannot be read as weights. */
  Choice choose(
      TensorInfo tensor,
      Optional<WeightTensor> weight,
      List<String> names,
      ModelFamily.Place place) {
    Role role = place.role();
    boolean excluded = isExcluded(names);
    boolean included = matchesAny(recipe.tensors().include(), names);
    OptionalInt embeddings = embeddings();
    boolean asEmbedding = embeddings.isPresent() && (role == Role.EMBEDDING || role == Role.HEAD);
    boolean byDefault = recipe.tensors().include().isEmpty() && role.isLinear();
    if (excluded || weight.isEmpty()) {
      if (!excluded && (included || byDefault)) {
        warnings.add("Not a readable matrix of floats, so it keeps its bytes", tensor.name());
        return new Choice.Unreadable();
      }
      return role.isLinear() ? new Choice.LeftByRecipe() : new Choice.Kept();
    }
    if (!included && !asEmbedding && !byDefault) {
      return role.isLinear() ? new Choice.LeftByRecipe() : new Choice.Kept();
    }
    TensorSettings settings =
        TensorSettings.of(recipe, weight.get().denseDtype(), place.experts().or(place::input));
    if (asEmbedding) {
      Optional<TargetGrids> target = settings.target();
      // "none" is about the model's linear layers; whoever asks for embeddings too wants those
      // rounded.
      settings =
          new TensorSettings(
                  Method.RTN,
                  settings.target(),
                  settings.fused(),
                  settings.bits(),
                  settings.group(),
                  settings.scales().filter(storage -> isHeld(target, embeddings, storage)),
                  settings.block(),
                  settings.side(),
                  false)
              .withBits(embeddings.getAsInt());
    }
    for (TensorOverride override : recipe.tensors().overrides()) {
      if (patterns.matches(override.pattern(), names)) {
        settings = settings.with(override);
      }
    }
    if (asEmbedding || role == Role.EMBEDDING) {
      settings = settings.plain();
    }
    if (settings.method() == Method.NONE) {
      return new Choice.LeftByRecipe();
    }
    if (!isHeld(settings, weight.get())) {
      return new Choice.LeftByRecipe();
    }
    withoutEffect.removeIf(pattern -> patterns.matches(pattern, names));
    return new Choice.Quantized(settings);
  }

  /**
   * Bits of the embedding and of the head; empty where they keep their bytes. llama.cpp's own files
   * have them at 6 bits, and are as small as people expect by that.
   */
  private OptionalInt embeddings() {
    boolean byTarget = recipe.target() == Target.GGUF && recipe.method() != Method.NONE;
    return recipe.tensors().embeddings().isEmpty() && byTarget
        ? OptionalInt.of(GGUF_EMBEDDINGS)
        : recipe.tensors().embeddings();
  }

  /** Scales that are asked for hold for embeddings too where the target has them at these bits. */
  private static boolean isHeld(
      Optional<TargetGrids> target, OptionalInt bits, ScaleStorage storage) {
    return target.map(held -> held.storages(bits.orElseThrow()).contains(storage)).orElse(true);
  }

  /** Whether the target has a grid for such a matrix. */
  private boolean isHeld(TensorSettings settings, WeightTensor weight) {
    TargetGrids target = settings.target().orElse(null);
    if (target == null) {
      return true;
    }
    target.require(weight.name(), settings.usualBits(), settings.group(), settings.scales());
    if (TreatmentLimits.form(settings, weight.columns()).isPresent()) {
      return true;
    }
    warnings.add(
        "%d input channels are no multiple of a group that %s holds, so it keeps its bytes"
            .formatted(weight.columns(), target.target()),
        weight.name());
    return false;
  }

  /** To be called once all tensors have been asked for. */
  void warnOfPatternsWithoutEffect() {
    Stream.concat(
            recipe.tensors().include().stream(),
            recipe.tensors().overrides().stream().map(TensorOverride::pattern))
        .filter(withoutEffect::contains)
        .forEach(
            pattern ->
                warnings.add("'" + pattern + "' matches only tensors that keep their bytes."));
  }

  private boolean matchesAny(List<String> candidates, List<String> names) {
    return candidates.stream().anyMatch(pattern -> patterns.matches(pattern, names));
  }
}

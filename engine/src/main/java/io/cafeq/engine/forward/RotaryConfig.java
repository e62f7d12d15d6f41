package io.cafeq.engine.forward;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import io.cafeq.engine.family.DecoderTraits;
import io.cafeq.engine.modelconfig.ConfigNumbers;

/**
 * The rotary embedding of each kind of layer, as config.json says it: all of it in {@code
 * rope_parameters}, there once for each kind of layer or once for all; in older files spread over
 * {@code rope_theta}, {@code rope_scaling} and, for Gemma's local layers, {@code
 * rope_local_base_freq}.
 */
record RotaryConfig(ConfigNumbers config, DecoderTraits.Rotary assumed) {
  static final String LOCAL = "sliding_attention";
  static final String GLOBAL = "full_attention";

  private static final String NEW = "rope_parameters";
  private static final String SCALING = "rope_scaling";
  private static final String BASE = "rope_theta";
  private static final String LOCAL_BASE = "rope_local_base_freq";

  /**
   * @param layerType {@link #LOCAL} or {@link #GLOBAL}
   */
  RotaryFrequencies of(String layerType, int headSize) {
    ConfigNumbers all = config.inside(NEW);
    if (all.node().properties().stream().anyMatch(entry -> entry.getValue().isObject())) {
      return byType(all, layerType, headSize);
    }
    if (layerType.equals(LOCAL) && assumed.localBase().isPresent()) {
      return RotaryFrequencies.of(
          headSize,
          config.positive(LOCAL_BASE, assumed.localBase().getAsDouble()),
          nothing(),
          trained());
    }
    JsonNode scaling = config.node().path(SCALING);
    if (all.isObject() && !repeats(scaling, all.node())) {
      throw contradiction();
    }
    return RotaryFrequencies.of(
        headSize,
        all.positive(BASE, config.positive(BASE, assumed.base())),
        all.isObject() ? all : config.inside(SCALING),
        trained());
  }

  private RotaryFrequencies byType(ConfigNumbers all, String layerType, int headSize) {
    ConfigNumbers own = all.inside(layerType);
    JsonNode scaling = config.node().path(SCALING);
    if (!own.isObject() && assumed.localBase().isEmpty()) {
      throw config.unknown(
          NEW, "parameters of other kinds of layers, none of", layerType, "those with that kind");
    }
    if (!scaling.equals(all.node()) && !repeats(scaling, own.node())) {
      throw contradiction();
    }
    double older =
        layerType.equals(LOCAL)
            ? config.positive(LOCAL_BASE, assumed.localBase().orElse(assumed.base()))
            : config.positive(BASE, assumed.base());
    return RotaryFrequencies.of(headSize, own.positive(BASE, older), own, trained());
  }

  /**
   * Which of both counts where they differ has changed from one version of the library to the next.
   */
  private static boolean repeats(JsonNode scaling, JsonNode parameters) {
    return scaling.properties().stream()
        .allMatch(
            entry -> {
              JsonNode same = parameters.path(entry.getKey());
              if (entry.getKey().equals("type") && same.isMissingNode()) {
                same = parameters.path("rope_type");
              }
              return entry.getValue().isNumber() && same.isNumber()
                  ? entry.getValue().doubleValue() == same.doubleValue()
                  : entry.getValue().equals(same);
            });
  }

  private RuntimeException contradiction() {
    return config.unknown(
        SCALING,
        "beside rope_parameters that say something else,",
        config.node().path(SCALING).toString(),
        "only one of both");
  }

  private int trained() {
    return config.count("max_position_embeddings", 2048);
  }

  private static ConfigNumbers nothing() {
    return new ConfigNumbers(MissingNode.getInstance());
  }
}

package io.cafeq.engine.export.gguf;

import com.fasterxml.jackson.databind.JsonNode;
import io.cafeq.engine.modelconfig.ConfigNumbers;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The rotary embedding as llama.cpp wants to know it: keys, and tensors of factors by which
 * frequencies are divided.
 *
 * @param channels of a head that turn
 * @param base of layers with full attention
 * @param localBase of layers with a sliding window
 * @param values keys without the architecture's prefix
 * @param factors one number for each pair of channels, by the tensor's name
 * @param refusal what stands against the model; empty where nothing does
 */
record Rotary(
    int channels,
    double base,
    double localBase,
    Map<String, GgufValue> values,
    Map<String, List<Float>> factors,
    Optional<String> refusal) {
  private static final String ORIGINAL = "original_max_position_embeddings";
  private static final String BASE = "rope_theta";

  Rotary {
    values = new LinkedHashMap<>(values);
    factors = new LinkedHashMap<>(factors);
  }

  static Rotary of(ConfigNumbers config, Architecture architecture, int headSize) {
    ConfigNumbers all = config.inside("rope_parameters");
    boolean byType =
        all.node().properties().stream().anyMatch(entry -> entry.getValue().isObject());
    ConfigNumbers own =
        byType
            ? all.inside("full_attention")
            : all.isObject() ? all : config.inside("rope_scaling");
    boolean isGemma3 = architecture == Architecture.GEMMA3;
    double older = config.positive(BASE, isGemma3 ? 1e6 : 1e4);
    double base = own.positive(BASE, older);
    double local =
        byType
            ? all.inside("sliding_attention").positive(BASE, 1e4)
            : config.positive("rope_local_base_freq", 1e4);
    double share =
        own.positive("partial_rotary_factor", config.positive("partial_rotary_factor", 1));
    int channels = (int) (headSize * share);
    Map<String, GgufValue> values = new LinkedHashMap<>();
    Map<String, List<Float>> factors = new LinkedHashMap<>();
    String type = own.text("rope_type", own.text("type", own.has("factor") ? "linear" : "default"));
    Optional<String> refusal = Optional.empty();
    switch (type) {
      case "default" -> {}
      case "linear" -> scaling(values, "linear", own.positive("factor", 1));
      case "llama3" -> factors.put("rope_freqs.weight", llama3(own, base, channels));
      case "yarn" -> {
        scaling(values, "yarn", own.positive("factor", 1));
        values.put(
            "rope.scaling.original_context_length",
            new GgufValue.Count(
                own.count(ORIGINAL, config.count("max_position_embeddings", 2048))));
      }
      case "longrope", "su" -> longRope(config, own, channels, values, factors);
      default -> refusal = Optional.of("rotary embedding of type " + type + " is not known");
    }
    return new Rotary(channels, base, local, values, factors, refusal);
  }

  private static void scaling(Map<String, GgufValue> values, String type, double factor) {
    values.put("rope.scaling.type", new GgufValue.Text(type));
    values.put("rope.scaling.factor", new GgufValue.Real((float) factor));
  }

  /**
   * By how much each pair of channels is slowed down: those that turn often over the trained length
   * keep their frequency.
   */
  private static List<Float> llama3(ConfigNumbers own, double base, int channels) {
    double factor = own.positive("factor", 8);
    double low = own.positive("low_freq_factor", 1);
    double high = own.positive("high_freq_factor", 4);
    double length = own.count(ORIGINAL, 8192);
    List<Float> factors = new ArrayList<>();
    for (int pair = 0; pair < channels / 2; pair++) {
      double turns = length * Math.pow(base, -2.0 * pair / channels) / (2 * Math.PI);
      double kept = Math.clamp((turns - low) / (high - low), 0, 1);
      factors.add((float) (1 / (kept + (1 - kept) / factor)));
    }
    return factors;
  }

  /** Factors for texts up to the trained length and for longer ones, and what they do to scores. */
  private static void longRope(
      ConfigNumbers config,
      ConfigNumbers own,
      int channels,
      Map<String, GgufValue> values,
      Map<String, List<Float>> factors) {
    int longest = config.count("max_position_embeddings");
    int trained = own.count(ORIGINAL, config.count(ORIGINAL, longest));
    double scale = (double) longest / trained;
    double attention = scale <= 1 ? 1 : Math.sqrt(1 + Math.log(scale) / Math.log(trained));
    values.put("rope.scaling.original_context_length", new GgufValue.Count(trained));
    values.put(
        "rope.scaling.attn_factor",
        new GgufValue.Real((float) own.positive("attention_factor", attention)));
    for (String length : List.of("long", "short")) {
      List<Float> each = new ArrayList<>();
      for (JsonNode factor : own.node().path(length + "_factor")) {
        each.add((float) factor.asDouble());
      }
      if (each.size() != channels / 2) {
        throw own.wrong(length + "_factor", "a number for each of " + channels / 2 + " pairs");
      }
      factors.put("rope_factors_" + length + ".weight", each);
    }
  }
}

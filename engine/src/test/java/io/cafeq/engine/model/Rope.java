package io.cafeq.engine.model;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;

/**
 * Rotary embedding of the first channels of a head: each pair of channels is a complex number that
 * turns by position times frequency.
 *
 * @param frequencies of the pairs; half as many as channels turn
 * @param adjacent pairs are channels (2i, 2i + 1) if true, else (i, i + pairs)
 * @param magnitude what queries and keys are multiplied by besides
 */
record Rope(List<Double> frequencies, boolean adjacent, double magnitude) {
  Rope {
    frequencies = List.copyOf(frequencies);
  }

  /** theta^(-2i / channels) */
  static Rope plain(int channels, double theta, boolean adjacent) {
    List<Double> frequencies = new ArrayList<>();
    for (int i = 0; i < channels; i += 2) {
      frequencies.add(Math.pow(theta, -(double) i / channels));
    }
    return new Rope(frequencies, adjacent, 1);
  }

  /** As {@code rope_scaling} changes the frequencies; a missing or null node changes none. */
  Rope scaled(JsonNode scaling, double theta, int trained) {
    String type = scaling.path("rope_type").asText(scaling.path("type").asText("default"));
    double factor = scaling.path("factor").asDouble(1);
    return switch (type) {
      case "default" -> this;
      case "linear" ->
          new Rope(frequencies.stream().map(f -> f / factor).toList(), adjacent, magnitude);
      case "llama3" ->
          new Rope(
              frequencies.stream().map(f -> llama3(f, factor, scaling)).toList(),
              adjacent,
              magnitude);
      case "yarn" -> yarn(scaling, factor, theta, trained);
      default -> throw new IllegalArgumentException("no rotary scaling is called " + type);
    };
  }

  private static double llama3(double frequency, double factor, JsonNode scaling) {
    double original = scaling.path("original_max_position_embeddings").asDouble();
    double low = scaling.path("low_freq_factor").asDouble();
    double high = scaling.path("high_freq_factor").asDouble();
    double turns = original * frequency / (2 * Math.PI);
    double kept = Math.clamp((turns - low) / (high - low), 0, 1);
    return kept * frequency + (1 - kept) * frequency / factor;
  }

  /**
   * Pairs that turn often within the trained length keep their frequency, those that turn seldom
   * are slowed down.
   */
  private Rope yarn(JsonNode scaling, double factor, double theta, int trained) {
    double original = scaling.path("original_max_position_embeddings").asDouble(trained);
    boolean whole = scaling.path("truncate").asBoolean(true);
    double first = pairThatTurns(scaling.path("beta_fast").asDouble(32), original, theta);
    double last = pairThatTurns(scaling.path("beta_slow").asDouble(1), original, theta);
    double low = Math.max(whole ? Math.floor(first) : first, 0);
    double high = Math.min(whole ? Math.ceil(last) : last, 2.0 * frequencies.size() - 1);
    double width = high == low ? 0.001 : high - low;
    List<Double> mixed = new ArrayList<>();
    for (int i = 0; i < frequencies.size(); i++) {
      double slowed = Math.clamp((i - low) / width, 0, 1);
      mixed.add(frequencies.get(i) * (1 - slowed) + frequencies.get(i) / factor * slowed);
    }
    double mscale = scaling.path("mscale").asDouble(0);
    double mscaleAll = scaling.path("mscale_all_dim").asDouble(0);
    double attention =
        mscale != 0 && mscaleAll != 0
            ? yarnMagnitude(factor, mscale) / yarnMagnitude(factor, mscaleAll)
            : yarnMagnitude(factor, 1);
    return new Rope(mixed, adjacent, scaling.path("attention_factor").asDouble(attention));
  }

  private double pairThatTurns(double times, double length, double theta) {
    return frequencies.size() * Math.log(length / (times * 2 * Math.PI)) / Math.log(theta);
  }

  static double yarnMagnitude(double factor, double mscale) {
    return factor <= 1 ? 1 : 0.1 * mscale * Math.log(factor) + 1;
  }

  /** The head's channels at a position; those beyond the pairs stay as they are. */
  double[] rotate(double[] head, int position) {
    double[] result = head.clone();
    int pairs = frequencies.size();
    for (int i = 0; i < pairs; i++) {
      int first = adjacent ? 2 * i : i;
      int second = adjacent ? 2 * i + 1 : i + pairs;
      double cosine = Math.cos(position * frequencies.get(i)) * magnitude;
      double sine = Math.sin(position * frequencies.get(i)) * magnitude;
      result[first] = head[first] * cosine - head[second] * sine;
      result[second] = head[second] * cosine + head[first] * sine;
    }
    return result;
  }
}

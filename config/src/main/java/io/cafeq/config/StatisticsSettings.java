package io.cafeq.config;

import java.util.OptionalDouble;
import java.util.SortedMap;

/**
 * How the input Hessians H = E[x x^T] (second moments of the inputs) are estimated; keys of {@code
 * recipe.statistics}.
 *
 * @param source of the calibration tokens
 * @param tokens calibration tokens in all
 * @param window tokens per sequence
 * @param width input channels up to which H is kept whole
 * @param shrinkage weight of the diagonal that H is shrunk towards, 0 to 1; empty for auto
 * @param damping added to the diagonal of H, as a part of its mean
 */
public record StatisticsSettings(
    StatisticsSource source,
    int tokens,
    int window,
    int width,
    OptionalDouble shrinkage,
    double damping) {
  /** The key whose value differs in a recipe's canonical form. */
  static final String SOURCE = "statistics.source";

  /** Adds key and value of each setting, as they were given. */
  void addTo(SortedMap<String, String> entries) {
    entries.put(SOURCE, CanonicalText.quoted(source.given()));
    entries.put("statistics.tokens", Integer.toString(tokens));
    entries.put("statistics.window", Integer.toString(window));
    entries.put("statistics.width", Integer.toString(width));
    entries.put("statistics.shrinkage", CanonicalText.decimalOr(shrinkage, "auto"));
    entries.put("statistics.damping", Double.toString(damping));
  }
}

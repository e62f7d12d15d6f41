package io.cafeq.config;

import java.util.SortedMap;

/**
 * How the inputs of the matrices are got to know. {@code reference.conf} says what each key means;
 * there they begin with {@code statistics}.
 *
 * @param source the key {@code statistics}
 * @param tokens that go through the model
 * @param window tokens that see one another
 * @param width the most input channels whose second moments are kept whole
 * @param damping part of the mean diagonal that is added to the diagonal
 */
public record StatisticsSettings(
    StatisticsSource source, int tokens, int window, int width, double damping) {
  /** The key whose value is not the same in a recipe's canonical form. */
  static final String SOURCE = "statistics";

  /** Adds key and value of each setting, as they were given. */
  void addTo(SortedMap<String, String> entries) {
    entries.put(SOURCE, CanonicalText.quoted(source.given()));
    entries.put("statistics-tokens", Integer.toString(tokens));
    entries.put("statistics-window", Integer.toString(window));
    entries.put("statistics-width", Integer.toString(width));
    entries.put("statistics-damping", Double.toString(damping));
  }
}

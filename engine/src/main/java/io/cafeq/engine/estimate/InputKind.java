package io.cafeq.engine.estimate;

import java.util.List;
import java.util.Locale;

/**
 * Kinds of inputs of which features are known, each with its features in the order that {@link
 * Coefficients} have.
 */
public enum InputKind {
  /**
   * What queries, keys and values read: mean over layers of up^2 / gate^2, this layer's v^2, q^2
   * and g^2, and what was written to the stream before, all by column.
   */
  ATTENTION("up_by_gate", "values", "queries", "gain", "written"),
  /** What gate and up read: up^2 / gate^2 over all layers and in this one, g^2, and v^2 g^2. */
  FEED_FORWARD("up_by_gate", "own_up_by_gate", "gain", "values"),
  /**
   * What down reads: its columns, the rows of gate and up, sum w^2 t / sum w^2 of those, and the
   * kurtosis mean w^4 / (mean w^2)^2 of all three.
   */
  DOWN(
      "columns",
      "gate",
      "up",
      "gate_concentration",
      "up_concentration",
      "columns_kurtosis",
      "gate_kurtosis",
      "up_kurtosis"),
  /**
   * What the attention's output matrix reads: its columns within their head and by head, and sum
   * w^2 t of the values' rows within their head.
   */
  OUTPUT("columns", "heads", "values");

  private final List<String> features;

  InputKind(String... features) {
    this.features = List.of(features);
  }

  /** The name in files. */
  public String text() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** Names of the features, in order. */
  public List<String> features() {
    return features;
  }
}

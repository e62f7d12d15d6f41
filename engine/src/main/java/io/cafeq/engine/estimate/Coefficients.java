package io.cafeq.engine.estimate;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;

/**
 * How much each feature says of log diag H: the only numbers of the estimate that were fitted, by
 * least squares to moments that were measured on a text. Immutable.
 */
public final class Coefficients {
  private static final String RESOURCE = "coefficients.json";
  private static final String ORIGIN = "origin";

  private final String origin;
  private final EnumMap<InputKind, double[]> byKind = new EnumMap<>(InputKind.class);

  /**
   * @param origin which models and texts they were fitted to, and how
   * @param byKind of every kind as many finite numbers as it has features, in their order
   */
  public Coefficients(String origin, Map<InputKind, double[]> byKind) {
    this.origin = origin;
    for (InputKind kind : InputKind.values()) {
      double[] values = byKind.get(kind);
      if (values == null || values.length != kind.features().size()) {
        throw new IllegalArgumentException("coefficients of " + kind.text() + " are missing");
      }
      for (double value : values) {
        if (!Double.isFinite(value)) {
          throw new IllegalArgumentException("a coefficient of " + kind.text() + " is " + value);
        }
      }
      this.byKind.put(kind, values.clone());
    }
  }

  /** Those that come with the program. */
  public static Coefficients builtIn() {
    try (InputStream in =
        Objects.requireNonNull(Coefficients.class.getResourceAsStream(RESOURCE), RESOURCE)) {
      return parse(JsonMapper.builder().build().readTree(in));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Back from {@link #json}; throws IllegalArgumentException where anything is missing. */
  static Coefficients parse(JsonNode json) {
    EnumMap<InputKind, double[]> byKind = new EnumMap<>(InputKind.class);
    for (InputKind kind : InputKind.values()) {
      byKind.put(
          kind,
          kind.features().stream()
              .mapToDouble(feature -> json.path(kind.text()).path(feature).asDouble(Double.NaN))
              .toArray());
    }
    return new Coefficients(json.path(ORIGIN).asText(), byKind);
  }

  /** As the resource holds them. */
  public String json() {
    return tree().toPrettyString();
  }

  /** The same as a tree. */
  public ObjectNode tree() {
    ObjectNode json = JsonMapper.builder().build().createObjectNode();
    json.put(ORIGIN, origin);
    byKind.forEach(
        (kind, values) -> {
          ObjectNode ofKind = json.putObject(kind.text());
          for (int i = 0; i < values.length; i++) {
            ofKind.put(kind.features().get(i), values[i]);
          }
        });
    return json;
  }

  /** Which models and texts they were fitted to, and how. */
  public String origin() {
    return origin;
  }

  /** Sum over features of coefficient times feature, for each channel. */
  double[] score(InputKind kind, double[][] features) {
    double[] coefficients = Objects.requireNonNull(byKind.get(kind));
    double[] score = new double[features[0].length];
    for (int k = 0; k < features.length; k++) {
      for (int i = 0; i < score.length; i++) {
        score[i] += coefficients[k] * features[k][i];
      }
    }
    return score;
  }
}

package io.cafeq.engine.model;

import com.fasterxml.jackson.databind.JsonNode;

/** What a forward pass works with. Rows of states are tokens, columns are channels. */
public record Model(Settings settings, String type, Weights weights, Products products) {
  /** A model that multiplies by its stored weights. */
  public static Model of(JsonNode config, Weights weights) {
    return of(config, weights, Products.dense(weights));
  }

  /**
   * A model whose matrices are reached through {@code products}; norms, biases and routers are the
   * stored ones.
   */
  public static Model of(JsonNode config, Weights weights, Products products) {
    String type =
        config.path("model_type").asText().isEmpty()
            ? config.path("text_config").path("model_type").asText()
            : config.path("model_type").asText();
    return new Model(Settings.of(config), type, weights, products);
  }

  /**
   * y = W x + b by {@code module.weight} as [out, in], and by {@code module.bias} where there is
   * one.
   */
  double[][] linear(String module, double[][] states) {
    return product(new MatrixUse(module + ".weight", 0, false), module + ".bias", states);
  }

  double[] linear(String module, double[] state) {
    return linear(module, new double[][] {state})[0];
  }

  /** As {@link #linear}, with the weight stored as [in, out]. */
  double[][] conv1d(String module, double[][] states) {
    return product(new MatrixUse(module + ".weight", 0, true), module + ".bias", states);
  }

  private double[][] product(MatrixUse matrix, String bias, double[][] states) {
    double[][] result = new double[states.length][];
    for (int token = 0; token < states.length; token++) {
      result[token] = products.apply(matrix, states[token]);
      if (weights.has(bias)) {
        add(result[token], weights.vector(bias));
      }
    }
    return result;
  }

  /** Rows of an embedding table. */
  double[][] embed(String table, int[] tokens) {
    double[][] states = new double[tokens.length][];
    for (int i = 0; i < tokens.length; i++) {
      states[i] = weights.get(table).row(tokens[i]);
    }
    return states;
  }

  static void add(double[] target, double[] other) {
    for (int i = 0; i < target.length; i++) {
      target[i] += other[i];
    }
  }

  static double[][] sum(double[][] first, double[][] second) {
    double[][] sum = new double[first.length][];
    for (int token = 0; token < first.length; token++) {
      sum[token] = first[token].clone();
      add(sum[token], second[token]);
    }
    return sum;
  }

  static double[] scaled(double[] values, double factor) {
    double[] result = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      result[i] = values[i] * factor;
    }
    return result;
  }
}

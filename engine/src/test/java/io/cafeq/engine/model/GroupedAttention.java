package io.cafeq.engine.model;

import java.util.Arrays;
import java.util.function.IntFunction;

/**
 * Attention with separate q, k and v, or with the three stacked in {@code qkv_proj}, and grouped
 * key-value heads. Biases and sinks take part where the checkpoint has them.
 *
 * @param module the name before ".q_proj", with %d for the layer
 */
record GroupedAttention(
    Model model,
    String module,
    Heads sizes,
    double scale,
    double softcap,
    Placing placing,
    IntFunction<Attend.Visibility> visible)
    implements Block {

  /** Query heads, key-value heads, channels of each. */
  record Heads(int query, int keyValue, int size) {
    static Heads of(Settings settings) {
      int heads = settings.integer("num_attention_heads");
      int size = settings.integer("head_dim", settings.integer("hidden_size") / heads);
      return new Heads(heads, settings.integer("num_key_value_heads", heads), size);
    }
  }

  /** What happens to a query or a key head between its projection and the scores. */
  @FunctionalInterface
  interface Placing {
    double[] place(int layer, int position, boolean query, double[] head);
  }

  @Override
  public double[][] apply(int layer, double[][] states) {
    String name = module.formatted(layer);
    double[][] q;
    double[][] k;
    double[][] v;
    if (model.weights().has(name + ".qkv_proj.weight")) {
      double[][] stacked = model.linear(name + ".qkv_proj", states);
      int queries = sizes.query() * sizes.size();
      int keys = sizes.keyValue() * sizes.size();
      q = columns(stacked, 0, queries);
      k = columns(stacked, queries, queries + keys);
      v = columns(stacked, queries + keys, queries + 2 * keys);
    } else {
      q = model.linear(name + ".q_proj", states);
      k = model.linear(name + ".k_proj", states);
      v = model.linear(name + ".v_proj", states);
    }
    double[][] placedQueries = placed(layer, q, true);
    double[][] placedKeys = placed(layer, k, false);
    Attend attend =
        new Attend(
            sizes.query(),
            sizes.keyValue(),
            scale,
            visible.apply(layer),
            softcap,
            model.weights().find(name + ".sinks").map(DoubleTensor::values).orElse(null));
    return model.linear(name + ".o_proj", attend.apply(placedQueries, placedKeys, v));
  }

  private double[][] placed(int layer, double[][] states, boolean query) {
    int size = sizes.size();
    double[][] result = new double[states.length][states[0].length];
    for (int token = 0; token < states.length; token++) {
      for (int from = 0; from < states[token].length; from += size) {
        double[] head = Arrays.copyOfRange(states[token], from, from + size);
        System.arraycopy(placing.place(layer, token, query, head), 0, result[token], from, size);
      }
    }
    return result;
  }

  static double[][] columns(double[][] states, int from, int to) {
    double[][] part = new double[states.length][];
    for (int token = 0; token < states.length; token++) {
      part[token] = Arrays.copyOfRange(states[token], from, to);
    }
    return part;
  }
}

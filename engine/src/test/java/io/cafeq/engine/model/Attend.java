package io.cafeq.engine.model;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * softmax(scale q k^T) v for every query head, each group of heads with one key-value head.
 *
 * @param softcap c in c tanh(score / c); 0 for none
 * @param sinks one more score for each head, which takes its share of the softmax and adds nothing;
 *     null for none
 */
record Attend(
    int heads,
    int keyValueHeads,
    double scale,
    Visibility visible,
    double softcap,
    double @Nullable [] sinks) {
  /** Whether a query at one position sees the key at another. */
  @FunctionalInterface
  interface Visibility {
    Visibility CAUSAL = (query, key) -> key <= query;
    Visibility ALL = (query, key) -> true;

    boolean sees(int query, int key);

    /** The last {@code size} positions, the query's own among them. */
    static Visibility window(int size) {
      return (query, key) -> key <= query && query - key < size;
    }

    /** Earlier positions of the query's own chunk. */
    static Visibility chunk(int size) {
      return (query, key) -> key <= query && query / size == key / size;
    }
  }

  Attend(int heads, int keyValueHeads, double scale, Visibility visible) {
    this(heads, keyValueHeads, scale, visible, 0, null);
  }

  /**
   * @param q [tokens, heads x size], k [tokens, keyValueHeads x size], v [tokens, keyValueHeads x
   *     value size]
   * @return [tokens, heads x value size]
   */
  double[][] apply(double[][] q, double[][] k, double[][] v) {
    int tokens = q.length;
    int size = q[0].length / heads;
    int valueSize = v[0].length / keyValueHeads;
    double[][] output = new double[tokens][heads * valueSize];
    for (int head = 0; head < heads; head++) {
      int group = head / (heads / keyValueHeads);
      for (int query = 0; query < tokens; query++) {
        double[] shares = shares(q, k, head, group, size, query);
        for (int key = 0; key < tokens; key++) {
          for (int i = 0; i < valueSize; i++) {
            output[query][head * valueSize + i] += shares[key] * v[key][group * valueSize + i];
          }
        }
      }
    }
    return output;
  }

  private double[] shares(double[][] q, double[][] k, int head, int group, int size, int query) {
    double[] scores = new double[k.length];
    Arrays.fill(scores, Double.NEGATIVE_INFINITY);
    double largest = sinks == null ? Double.NEGATIVE_INFINITY : sinks[head];
    for (int key = 0; key < k.length; key++) {
      if (visible.sees(query, key)) {
        double product = 0;
        for (int i = 0; i < size; i++) {
          product += q[query][head * size + i] * k[key][group * size + i];
        }
        double score = product * scale;
        scores[key] = softcap == 0 ? score : softcap * Math.tanh(score / softcap);
        largest = Math.max(largest, scores[key]);
      }
    }
    double sum = sinks == null ? 0 : Math.exp(sinks[head] - largest);
    for (int key = 0; key < k.length; key++) {
      scores[key] = Math.exp(scores[key] - largest);
      sum += scores[key];
    }
    return Model.scaled(scores, 1 / sum);
  }
}

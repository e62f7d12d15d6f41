package io.cafeq.engine.model;

import java.util.List;

/**
 * What a forward pass saw, [tokens, channels] each.
 *
 * @param attention what every attention part adds to its layer's states, bias included
 * @param feedForward the same of every feed-forward part
 * @param hidden the states after the last norm
 */
public record Trace(List<double[][]> attention, List<double[][]> feedForward, double[][] hidden) {
  public Trace {
    attention = List.copyOf(attention);
    feedForward = List.copyOf(feedForward);
  }

  /** The largest of the relative l2 differences of all parts: |this - other| / |other|. */
  public double distance(Trace other) {
    double largest = distance(hidden, other.hidden);
    for (int layer = 0; layer < attention.size(); layer++) {
      largest = Math.max(largest, distance(attention.get(layer), other.attention.get(layer)));
      largest = Math.max(largest, distance(feedForward.get(layer), other.feedForward.get(layer)));
    }
    return largest;
  }

  static double distance(double[][] found, double[][] expected) {
    double difference = 0;
    double norm = 0;
    for (int token = 0; token < expected.length; token++) {
      for (int i = 0; i < expected[token].length; i++) {
        double gap = found[token][i] - expected[token][i];
        difference += gap * gap;
        norm += expected[token][i] * expected[token][i];
      }
    }
    double distance = Math.sqrt(difference / norm);
    // Math.max would keep NaN, but a sum of zeros over zeros must not pass for equality.
    return Double.isNaN(distance) ? Double.POSITIVE_INFINITY : distance;
  }
}

package io.cafeq.engine.rounding;

import java.util.List;

/**
 * Biases that are added to the channels of a pair's factors, head by head in the order of the
 * factor's channels. A bias counts as one more column (input) of its factor: y = O (V x + b), so
 * what O is aimed at keeps what O makes of b, also where V itself hardly reaches. Biases are
 * transformed but not rounded.
 *
 * @param left h entries for each left head; empty where the left factor has no bias
 * @param right h entries for each right head; empty where the right factor has no bias
 */
public record PairBiases(List<double[]> left, List<double[]> right) {
  public PairBiases {
    left = List.copyOf(left);
    right = List.copyOf(right);
  }

  /** No biases. */
  public static PairBiases none() {
    return new PairBiases(List.of(), List.of());
  }
}

package io.cafeq.engine.evaluate;

import io.cafeq.engine.forward.Exponentials;
import io.cafeq.engine.forward.Strands;

/**
 * What one token's logits come to, from slab to slab of the vocabulary: the largest, and the sum of
 * e^(logit - largest) in double, which shrinks where a larger one is met.
 */
final class LogitSums {
  /** Logits that are looked at together. */
  static final int TILE = 4096;

  private double largest = Double.NEGATIVE_INFINITY;
  private double sum;
  private int top = -1;

  /**
   * Adds the first {@code count} logits, at most {@link #TILE}.
   *
   * @param firstToken that the first one is of
   * @param powers receives e^(logit - largest)
   * @return the factor by which what was summed before shrinks
   */
  double add(int firstToken, float[] logits, int count, double[] powers) {
    double before = largest;
    int found = largest(logits, count);
    if (logits[found] > largest) {
      largest = logits[found];
      top = firstToken + found;
    }
    double shift = largest;
    for (int i = 0; i < count; i++) {
      powers[i] = logits[i] - shift;
    }
    Exponentials.apply(powers, count);
    double shrunk = before == Double.NEGATIVE_INFINITY ? 0 : Math.exp(before - largest);
    sum = sum * shrunk + Strands.sum(powers, count);
    return shrunk;
  }

  /** The logarithm of the sum of e^logit; not finite where a logit is not. */
  double logOfSum() {
    return largest + Math.log(sum);
  }

  /** Of all tokens the first with the largest logit. */
  int top() {
    return top;
  }

  /** The sum of e^(logit - largest). */
  double sum() {
    return sum;
  }

  private static int largest(float[] logits, int count) {
    int found = 0;
    for (int i = 1; i < count; i++) {
      if (logits[i] > logits[found]) {
        found = i;
      }
    }
    return found;
  }
}

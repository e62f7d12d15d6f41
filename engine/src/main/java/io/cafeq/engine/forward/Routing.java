package io.cafeq.engine.forward;

import io.cafeq.engine.memory.FloatMatrix;
import java.util.ArrayList;
import java.util.List;

/**
 * Which tokens go to which experts: softmax over all, then those with the largest shares; of equals
 * the first.
 */
final class Routing {
  private Routing() {}

  /** A token that an expert gets, and the weight of the expert's output in the token's sum. */
  record Sent(int token, float weight) {}

  /**
   * For each expert its tokens, in their order.
   *
   * @param scores [tokens, experts]
   * @param normed whether a token's weights are made to add up to 1
   */
  static List<List<Sent>> of(FloatMatrix scores, int chosen, boolean normed) {
    List<List<Sent>> sent = new ArrayList<>();
    for (int expert = 0; expert < scores.columns(); expert++) {
      sent.add(new ArrayList<>());
    }
    double[] shares = new double[scores.columns()];
    int[] best = new int[chosen];
    for (int token = 0; token < scores.rows(); token++) {
      softmax(scores, token, shares);
      largest(shares, best);
      double sum = 0;
      for (int expert : best) {
        sum += shares[expert];
      }
      for (int expert : best) {
        sent.get(expert).add(new Sent(token, (float) (shares[expert] / (normed ? sum : 1))));
      }
    }
    return sent;
  }

  private static void softmax(FloatMatrix scores, int token, double[] shares) {
    double largest = Double.NEGATIVE_INFINITY;
    for (int i = 0; i < shares.length; i++) {
      shares[i] = scores.get(token, i);
      largest = Math.max(largest, shares[i]);
    }
    double sum = 0;
    for (int i = 0; i < shares.length; i++) {
      shares[i] = Math.exp(shares[i] - largest);
      sum += shares[i];
    }
    for (int i = 0; i < shares.length; i++) {
      shares[i] /= sum;
    }
  }

  private static void largest(double[] shares, int[] best) {
    boolean[] taken = new boolean[shares.length];
    for (int place = 0; place < best.length; place++) {
      int found = -1;
      for (int i = 0; i < shares.length; i++) {
        if (!taken[i] && (found < 0 || shares[i] > shares[found])) {
          found = i;
        }
      }
      taken[found] = true;
      best[place] = found;
    }
  }
}

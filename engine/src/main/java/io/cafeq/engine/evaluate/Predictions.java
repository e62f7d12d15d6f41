package io.cafeq.engine.evaluate;

import io.cafeq.engine.forward.Strands;
import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * What a model predicts at some places of a text, and how another model's predictions differ there,
 * from one pass over the vocabulary in slabs. At each place the model gives logits b, the reference
 * (where there is one) logits a; with p and q their softmax, the divergence is
 *
 * <pre>KL(p || q) = sum p (a - b) - log sum e^a + log sum e^b   [nats]</pre>
 *
 * <p>Holds some numbers for each place, no logits. Not thread-safe.
 */
final class Predictions {
  private final int[] targets;
  private final LogitSums[] model;
  private final LogitSums[] reference;
  private final double[] ofTarget;
  private final double[] ofTargetInReference;
  private final double[] differences;
  private final float[] logits = new float[LogitSums.TILE];
  private final float[] referenceLogits = new float[LogitSums.TILE];
  private final double[] powers = new double[LogitSums.TILE];

  /**
   * @param targets the token that follows in the text, for each place
   */
  Predictions(int[] targets) {
    this.targets = targets.clone();
    this.model = sums(targets.length);
    this.reference = sums(targets.length);
    this.ofTarget = unknown(targets.length);
    this.ofTargetInReference = unknown(targets.length);
    this.differences = new double[targets.length];
  }

  private static LogitSums[] sums(int count) {
    LogitSums[] sums = new LogitSums[count];
    for (int i = 0; i < count; i++) {
      sums[i] = new LogitSums();
    }
    return sums;
  }

  /** A target that no slab has must not pass for a logit of 0. */
  private static double[] unknown(int count) {
    double[] unknown = new double[count];
    Arrays.fill(unknown, Double.NaN);
    return unknown;
  }

  int places() {
    return targets.length;
  }

  /**
   * @param slab logits [places, some tokens] of the vocabulary from {@code firstToken} on; slabs
   *     come in order
   */
  void add(int firstToken, FloatMatrix slab) {
    for (int place = 0; place < targets.length; place++) {
      for (int column = 0; column < slab.columns(); column += LogitSums.TILE) {
        int count = Math.min(LogitSums.TILE, slab.columns() - column);
        read(slab, place, column, count, logits);
        model[place].add(firstToken + column, logits, count, powers);
        int target = targets[place] - firstToken - column;
        if (target >= 0 && target < count) {
          ofTarget[place] = logits[target];
        }
      }
    }
  }

  /** The same logits of both models. */
  void add(int firstToken, FloatMatrix slab, FloatMatrix referenceSlab) {
    for (int place = 0; place < targets.length; place++) {
      for (int column = 0; column < slab.columns(); column += LogitSums.TILE) {
        int count = Math.min(LogitSums.TILE, slab.columns() - column);
        read(slab, place, column, count, logits);
        read(referenceSlab, place, column, count, referenceLogits);
        model[place].add(firstToken + column, logits, count, powers);
        double shrunk = reference[place].add(firstToken + column, referenceLogits, count, powers);
        for (int i = 0; i < count; i++) {
          powers[i] *= (double) referenceLogits[i] - logits[i];
        }
        differences[place] = differences[place] * shrunk + Strands.sum(powers, count);
        int target = targets[place] - firstToken - column;
        if (target >= 0 && target < count) {
          ofTarget[place] = logits[target];
          ofTargetInReference[place] = referenceLogits[target];
        }
      }
    }
  }

  /** log q of the token that follows. */
  double logLikelihood(int place) {
    return ofTarget[place] - model[place].logOfSum();
  }

  /** log p of the token that follows. */
  double referenceLogLikelihood(int place) {
    return ofTargetInReference[place] - reference[place].logOfSum();
  }

  /**
   * KL(p || q) in nats; rounding can leave it a little below 0 where both are the same, so 0 then.
   */
  double divergence(int place) {
    LogitSums own = reference[place];
    double divergence = differences[place] / own.sum() - own.logOfSum() + model[place].logOfSum();
    return Math.max(0, divergence);
  }

  /** Whether both models find the same token the likeliest. */
  boolean agree(int place) {
    return model[place].top() == reference[place].top();
  }

  private static void read(FloatMatrix slab, int row, int column, int count, float[] to) {
    MemorySegment.copy(
        slab.segment(),
        ValueLayout.JAVA_FLOAT,
        ((long) row * slab.columns() + column) * Float.BYTES,
        to,
        0,
        count);
  }
}

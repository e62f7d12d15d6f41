package io.cafeq.engine.statistics;

import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.OptionalDouble;

/**
 * Shrinks measured second moments towards a diagonal, block by block: H' = (1 - s) H + s D, D_i =
 * sqrt(d_i g), d the diagonal of H, raised by 0.0001 of its mean, and g the geometric mean of d. So
 * D lies halfway, in logarithms, between the measured diagonal and the same for all channels, and a
 * few channels of most of the energy do not raise it for the others.
 *
 * <p>A sample of T tokens says little of most of the n (n + 1) / 2 products of n channels, and
 * rounding pushes its errors to where the sample was small. Unless it is set, s = 1 / (1 + 0.6
 * sqrt(T / n)). Constant and power were chosen by output errors on other texts, from T / n = 0.3 to
 * 7.
 *
 * @param set s, 0 to 1; empty where it follows from tokens and channels
 */
public record Shrinkage(OptionalDouble set) {
  /** Leaves moments as they are. */
  public static final Shrinkage NONE = new Shrinkage(OptionalDouble.of(0));

  private static final double OWN = 0.6;
  private static final double FLOOR = 1e-4;

  /** s for moments of some tokens, at least 1, and a block of some channels. */
  public double weight(long tokens, int channels) {
    return set.orElseGet(() -> 1 / (1 + OWN * Math.sqrt((double) tokens / channels)));
  }

  /** Overwrites the moments. What was seen of no token is no sample, and stays. */
  public void apply(InputMoments moments) {
    if (moments.tokens() == 0) {
      return;
    }
    for (InputMoments.Block block : moments.blocks()) {
      double weight = weight(moments.tokens(), block.channels());
      if (weight > 0) {
        apply(block.moments(), weight);
      }
    }
  }

  private static void apply(FloatMatrix square, double weight) {
    int n = square.rows();
    double mean = 0;
    for (int i = 0; i < n; i++) {
      mean += square.get(i, i) / (double) n;
    }
    if (!(mean > 0)) {
      return;
    }
    double logs = 0;
    for (int i = 0; i < n; i++) {
      logs += StrictMath.log(square.get(i, i) + FLOOR * mean);
    }
    double level = StrictMath.exp(logs / n);
    float own = (float) (1 - weight);
    float[] row = new float[n];
    for (int i = 0; i < n; i++) {
      long at = (long) i * n * Float.BYTES;
      MemorySegment.copy(square.segment(), ValueLayout.JAVA_FLOAT, at, row, 0, n);
      double diagonal = row[i];
      for (int j = 0; j < n; j++) {
        row[j] *= own;
      }
      double target = Math.sqrt((diagonal + FLOOR * mean) * level);
      row[i] = (float) ((1 - weight) * diagonal + weight * target);
      MemorySegment.copy(row, 0, square.segment(), ValueLayout.JAVA_FLOAT, at, n);
    }
  }
}

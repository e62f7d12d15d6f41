package io.cafeq.engine.sample;

import io.cafeq.engine.sample.SampleShape.Distribution;

/**
 * 65536 equally likely values of a distribution with mean 0 and variance 1, so that 16 random bits
 * make a weight by one look-up. Made by integrating the density and inverting the sum, in
 * StrictMath: the same on every machine.
 */
final class QuantileTable {
  static final int SIZE = 1 << 16;
  private static final int STEPS = 1 << 18;
  private static final double FARTHEST = 32;
  private static final double FREEDOM = 5;

  private QuantileTable() {}

  /** Rising; entry i and entry SIZE - 1 - i have opposite signs. */
  static float[] of(Distribution distribution) {
    double step = FARTHEST / STEPS;
    double[] sums = new double[STEPS + 1];
    for (int i = 1; i <= STEPS; i++) {
      sums[i] = sums[i - 1] + density(distribution, (i - 0.5) * step);
    }
    double[] half = new double[SIZE / 2];
    double squares = 0;
    int at = 0;
    for (int i = 0; i < half.length; i++) {
      double wanted = (i + 0.5) / half.length * sums[STEPS];
      while (sums[at + 1] < wanted) {
        at++;
      }
      half[i] = (at + (wanted - sums[at]) / (sums[at + 1] - sums[at])) * step;
      squares += half[i] * half[i];
    }
    double scale = StrictMath.sqrt(half.length / squares);
    float[] table = new float[SIZE];
    for (int i = 0; i < half.length; i++) {
      table[SIZE / 2 + i] = (float) (half[i] * scale);
      table[SIZE / 2 - 1 - i] = (float) (-half[i] * scale);
    }
    return table;
  }

  private static double density(Distribution distribution, double x) {
    return switch (distribution) {
      case GAUSSIAN -> StrictMath.exp(-x * x / 2);
      case STUDENT -> StrictMath.pow(1 + x * x / FREEDOM, -(FREEDOM + 1) / 2);
    };
  }
}

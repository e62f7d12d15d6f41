package io.cafeq.engine.estimate;

import java.util.Arrays;

/**
 * Features: natural logarithms over the channels of an input, less their mean, within [-8, 8].
 * StrictMath, since a result's bytes are the same on every machine.
 */
final class Logs {
  private static final double CLIP = 8;

  /** What a logarithm is taken of is at least this part of the largest entry. */
  private static final double LEAST = 1e-30;

  private Logs() {}

  /** Logarithms of what is not negative, less their mean; all 0 where nothing is positive. */
  static double[] centred(double[] values) {
    double largest = Arrays.stream(values).max().orElse(0);
    double[] logs = new double[values.length];
    if (largest > 0 && Double.isFinite(largest)) {
      for (int i = 0; i < logs.length; i++) {
        logs[i] = StrictMath.log(Math.max(values[i] / largest, LEAST));
      }
    }
    return centre(logs);
  }

  /** The same, in the range of a feature. */
  static double[] feature(double[] values) {
    return clip(centred(values));
  }

  /** Takes the mean off, in place. */
  static double[] centre(double[] logs) {
    double mean = 0;
    for (double log : logs) {
      mean += log / logs.length;
    }
    for (int i = 0; i < logs.length; i++) {
      logs[i] -= mean;
    }
    return logs;
  }

  /** Takes the mean of each run of {@code size} entries off, in place; returns these means. */
  static double[] takeMeans(double[] logs, int size) {
    double[] means = new double[logs.length];
    for (int first = 0; first < logs.length; first += size) {
      double mean = 0;
      for (int i = first; i < first + size; i++) {
        mean += logs[i] / size;
      }
      for (int i = first; i < first + size; i++) {
        logs[i] -= mean;
        means[i] = mean;
      }
    }
    return means;
  }

  /** Limits entries to the range of a feature, in place. */
  static double[] clip(double[] logs) {
    for (int i = 0; i < logs.length; i++) {
      logs[i] = Math.clamp(logs[i], -CLIP, CLIP);
    }
    return logs;
  }

  static double[] exponentials(double[] logs) {
    double[] values = new double[logs.length];
    for (int i = 0; i < values.length; i++) {
      values[i] = StrictMath.exp(logs[i]);
    }
    return values;
  }

  static double[] difference(double[] left, double[] right) {
    double[] difference = new double[left.length];
    for (int i = 0; i < difference.length; i++) {
      difference[i] = left[i] - right[i];
    }
    return difference;
  }

  static double[] product(double[] left, double[] right) {
    double[] product = new double[left.length];
    for (int i = 0; i < product.length; i++) {
      product[i] = left[i] * right[i];
    }
    return product;
  }

  static double[] doubles(float[] values) {
    double[] wide = new double[values.length];
    for (int i = 0; i < wide.length; i++) {
      wide[i] = values[i];
    }
    return wide;
  }

  static float[] floats(double[] values) {
    float[] narrow = new float[values.length];
    for (int i = 0; i < narrow.length; i++) {
      narrow[i] = (float) Math.min(values[i], Float.MAX_VALUE);
    }
    return narrow;
  }
}

package io.cafeq.engine.evaluate;

import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** y = w x / sqrt(mean x^2 + epsilon), row by row; the mean in double, in a fixed order. Not thread-safe. */
final class RootMeanSquare {
  private final float[] weights;
  private final double epsilon;
  private final float[] row;

  /** @param onePlus whether the checkpoint stores w - 1 */
  RootMeanSquare(float[] stored, boolean onePlus, double epsilon) {
    this.weights = stored.clone();
    this.epsilon = epsilon;
    this.row = new float[stored.length];
    if (onePlus) {
      for (int i = 0; i < weights.length; i++) {
        weights[i] += 1;
      }
    }
  }

  /** @param y of the shape of x, and may be x */
  void apply(FloatMatrix x, FloatMatrix y) {
    int channels = weights.length;
    for (int token = 0; token < x.rows(); token++) {
      long at = (long) token * channels * Float.BYTES;
      MemorySegment.copy(x.segment(), ValueLayout.JAVA_FLOAT, at, row, 0, channels);
      apply(row, 0);
      MemorySegment.copy(row, 0, y.segment(), ValueLayout.JAVA_FLOAT, at, channels);
    }
  }

  /** The same for as many entries as there are weights, in place. */
  void apply(float[] values, int first) {
    float factor = (float) (1 / Math.sqrt(squares(values, first, weights.length) / weights.length + epsilon));
    for (int i = 0; i < weights.length; i++) {
      values[first + i] = values[first + i] * factor * weights[i];
    }
  }

  /** Four sums, because one would wait for each addition. */
  private static double squares(float[] values, int first, int count) {
    double sum0 = 0;
    double sum1 = 0;
    double sum2 = 0;
    double sum3 = 0;
    int end = first + count;
    int i = first;
    for (; i + 3 < end; i += 4) {
      sum0 += (double) values[i] * values[i];
      sum1 += (double) values[i + 1] * values[i + 1];
      sum2 += (double) values[i + 2] * values[i + 2];
      sum3 += (double) values[i + 3] * values[i + 3];
    }
    for (; i < end; i++) {
      sum0 += (double) values[i] * values[i];
    }
    return sum0 + sum1 + (sum2 + sum3);
  }
}

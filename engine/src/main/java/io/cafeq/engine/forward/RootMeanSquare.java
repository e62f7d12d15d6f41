package io.cafeq.engine.forward;

import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * y = w x / sqrt(mean x^2 + epsilon), row by row; the mean in double, in a fixed order. Not
 * thread-safe.
 */
final class RootMeanSquare {
  private final float[] weights;
  private final double epsilon;
  private final float[] row;

  /**
   * @param onePlus whether the checkpoint stores w - 1
   */
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

  /**
   * @param y of the shape of x, and may be x
   */
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
    float factor =
        (float)
            (1
                / Math.sqrt(
                    Strands.squares(values, first, weights.length) / weights.length + epsilon));
    for (int i = 0; i < weights.length; i++) {
      values[first + i] = values[first + i] * factor * weights[i];
    }
  }
}

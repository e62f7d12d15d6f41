package io.cafeq.engine.forward;

import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** What is done to the gate of a feed-forward part. */
enum Activation {
  /** x / (1 + e^-x) */
  SILU,
  /**
   * 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))), the same as x / (1 + e^(-2 u)) with u that
   * argument of tanh.
   */
  GELU_TANH;

  private static final double GELU_FACTOR = -2 * Math.sqrt(2 / Math.PI);
  private static final double GELU_CUBE = 0.044715;

  /**
   * gate = activation(gate) * up, element by element, by way of tiles on the heap. Not for two
   * threads at once.
   */
  static final class Gating {
    private static final int TILE = 4096;

    private final Activation activation;
    private final float[] gates = new float[TILE];
    private final float[] ups = new float[TILE];
    private final double[] values = new double[TILE];

    Gating(Activation activation) {
      this.activation = activation;
    }

    void apply(FloatMatrix gate, FloatMatrix up) {
      for (long done = 0; done < gate.elements(); done += TILE) {
        int count = (int) Math.min(TILE, gate.elements() - done);
        MemorySegment.copy(
            gate.segment(), ValueLayout.JAVA_FLOAT, done * Float.BYTES, gates, 0, count);
        MemorySegment.copy(up.segment(), ValueLayout.JAVA_FLOAT, done * Float.BYTES, ups, 0, count);
        activation.exponents(gates, values, count);
        Exponentials.apply(values, count);
        divide(gates, ups, values, count);
        MemorySegment.copy(
            gates, 0, gate.segment(), ValueLayout.JAVA_FLOAT, done * Float.BYTES, count);
      }
    }

    private static void divide(float[] gates, float[] ups, double[] values, int count) {
      for (int i = 0; i < count; i++) {
        gates[i] = (float) (gates[i] / (1 + values[i]) * ups[i]);
      }
    }
  }

  private void exponents(float[] x, double[] exponents, int count) {
    switch (this) {
      case SILU -> {
        for (int i = 0; i < count; i++) {
          exponents[i] = -(double) x[i];
        }
      }
      case GELU_TANH -> {
        for (int i = 0; i < count; i++) {
          double y = x[i];
          exponents[i] = GELU_FACTOR * (y + GELU_CUBE * y * y * y);
        }
      }
    }
  }
}

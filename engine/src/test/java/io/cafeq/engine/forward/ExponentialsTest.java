package io.cafeq.engine.forward;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.Arena;
import org.junit.jupiter.api.Test;

class ExponentialsTest {
  @Test
  void asTheLibrarysToEightDigits() {
    double[] x = new double[16_001];
    for (int i = 0; i < x.length; i++) {
      x[i] = (i - 8000) / 100.0;
    }
    double[] powers = x.clone();
    Exponentials.apply(powers, powers.length);
    for (int i = 0; i < x.length; i++) {
      assertThat(powers[i] / Math.exp(x[i])).as("e^%s", x[i]).isCloseTo(1, within(1e-8));
    }
  }

  @Test
  void whatLiesBeyondCountsAsTheEnd() {
    double[] x = {-1e300, Double.NEGATIVE_INFINITY, 1e300, Double.NaN};
    Exponentials.apply(x, x.length);
    assertThat(x[0]).isLessThan(1e-34).isPositive();
    assertThat(x[1]).isLessThan(1e-34).isPositive();
    assertThat(x[2]).isGreaterThan(1e34).isFinite();
    assertThat(x[3]).isNaN();
  }

  @Test
  void activationsOfLargeAndSmallNumbers() {
    float[] gates = {-200, -20, -1, -1e-4f, 0, 1e-4f, 1, 20, 200};
    try (Arena arena = Arena.ofConfined()) {
      FloatMatrix gate = FloatMatrix.allocate(arena, 1, gates.length);
      FloatMatrix up = FloatMatrix.allocate(arena, 1, gates.length);
      for (Activation activation : Activation.values()) {
        for (int i = 0; i < gates.length; i++) {
          gate.set(0, i, gates[i]);
          up.set(0, i, 3);
        }
        new Activation.Gating(activation).apply(gate, up);
        for (int i = 0; i < gates.length; i++) {
          double expected = 3 * expected(activation, gates[i]);
          assertThat((double) gate.get(0, i))
              .as("%s of %s", activation, gates[i])
              .isCloseTo(expected, within(1e-6 * Math.abs(expected) + 1e-12));
        }
      }
    }
  }

  private static double expected(Activation activation, double x) {
    return switch (activation) {
      case SILU -> x / (1 + Math.exp(-x));
      case GELU_TANH ->
          0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
    };
  }
}

package io.cafeq.engine.transform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.Arena;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Scales of columns: what is stored, what it stands for, and which are best. */
class ColumnScalesTest {
  @Test
  void everyExponentStandsForEighthsOfAnOctave() {
    byte[] exponents = new byte[256];
    for (int i = 0; i < 256; i++) {
      exponents[i] = (byte) i;
    }
    ColumnScales scales = ColumnScales.stored(exponents);
    assertThat(scales.exponents()).isEqualTo(exponents);
    for (int i = 0; i < 256; i++) {
      double inverse = Math.pow(2, exponents[i] / 8.0);
      assertThat(scales.inverse(i)).isEqualTo((float) inverse);
      assertThat(scales.scale(i)).isEqualTo((float) (1 / inverse));
    }
  }

  @Test
  void bestOnesFollowTheRuleToHalfAStep() {
    SplittableRandom random = new SplittableRandom(3);
    double[] diagonal = random.doubles(200, 1e-4, 10).toArray();
    double[] squares = random.doubles(200, 1e-6, 1).toArray();
    ColumnScales scales = ColumnScales.best(diagonal, squares);
    double logarithms = 0;
    double first = 0;
    for (int j = 0; j < 200; j++) {
      double rule = Math.pow(diagonal[j], 1.0 / 8) / Math.pow(squares[j], 1.0 / 4);
      double off = 8 * Math.log(scales.scale(j) / rule) / Math.log(2);
      first = j == 0 ? off : first;
      assertThat(off).isCloseTo(first, within(1.001));
      logarithms += Math.log(scales.scale(j));
    }
    assertThat(logarithms / 200).isCloseTo(0, within(0.02));
    assertThat(ColumnScales.best(scaled(diagonal, 1e20), scaled(squares, 1e-30))).isEqualTo(scales);
  }

  private static double[] scaled(double[] values, double factor) {
    return java.util.Arrays.stream(values).map(value -> value * factor).toArray();
  }

  @Test
  void channelsThatAreNothingStayAsTheyAre() {
    ColumnScales scales =
        ColumnScales.best(new double[] {1, 0, 1, Double.NaN, 256}, new double[] {1, 1, 0, 1, 1});
    assertThat(scales.scale(1)).isEqualTo(1);
    assertThat(scales.scale(2)).isEqualTo(1);
    assertThat(scales.scale(3)).isEqualTo(1);
    assertThat(scales.scale(4) / scales.scale(0)).isEqualTo(2);
    assertThat(ColumnScales.best(new double[3], new double[3])).isEqualTo(ColumnScales.ones(3));
  }

  @Test
  void dividingUndoesMultiplying() {
    SplittableRandom random = new SplittableRandom(5);
    byte[] exponents = new byte[40];
    random.nextBytes(exponents);
    ColumnScales scales = ColumnScales.stored(exponents);
    try (Arena arena = Arena.ofConfined()) {
      FloatMatrix weights = FloatMatrix.allocate(arena, 7, 40);
      FloatMatrix part = FloatMatrix.allocate(arena, 7, 9);
      for (int i = 0; i < 7; i++) {
        for (int j = 0; j < 40; j++) {
          weights.set(i, j, (float) random.nextGaussian());
        }
        for (int j = 0; j < 9; j++) {
          part.set(i, j, weights.get(i, 11 + j));
        }
      }
      FloatMatrix copy = FloatMatrix.allocate(arena, 7, 40);
      copy.segment().copyFrom(weights.segment());
      scales.multiply(weights, 0);
      scales.multiply(part, 11);
      for (int i = 0; i < 7; i++) {
        for (int j = 0; j < 9; j++) {
          assertThat(part.get(i, j)).isEqualTo(weights.get(i, 11 + j));
        }
      }
      scales.divide(weights);
      for (int i = 0; i < 7; i++) {
        for (int j = 0; j < 40; j++) {
          assertThat(weights.get(i, j))
              .isCloseTo(copy.get(i, j), within(3e-7f * Math.abs(copy.get(i, j))));
        }
      }
    }
  }
}

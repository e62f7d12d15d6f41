package io.cafeq.engine.statistics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.OptionalDouble;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ShrinkageTest {
  private final Arena arena = Arena.ofConfined();

  @AfterEach
  void close() {
    arena.close();
  }

  @Test
  void eachBlockIsMixedWithItsOwnDiagonal() {
    InputMoments moments = moments(96, 5, 11);
    InputMoments before = moments(96, 5, 11);
    new Shrinkage(OptionalDouble.of(0.25)).apply(moments);
    for (int b = 0; b < 2; b++) {
      FloatMatrix h = before.blocks().get(b).moments();
      FloatMatrix found = moments.blocks().get(b).moments();
      double mean = 0;
      for (int i = 0; i < h.rows(); i++) {
        mean += h.get(i, i) / h.rows();
      }
      double product = 1;
      for (int i = 0; i < h.rows(); i++) {
        product *= h.get(i, i) + 1e-4 * mean;
      }
      double level = Math.pow(product, 1.0 / h.rows());
      for (int i = 0; i < h.rows(); i++) {
        for (int j = 0; j < h.rows(); j++) {
          double target = i == j ? Math.sqrt((h.get(i, i) + 1e-4 * mean) * level) : 0;
          double expected = 0.75 * h.get(i, j) + 0.25 * target;
          assertThat((double) found.get(i, j)).isCloseTo(expected, within(1e-5 * mean));
        }
      }
    }
  }

  @Test
  void fewerTokensAreShrunkMore() {
    Shrinkage auto = new Shrinkage(OptionalDouble.empty());
    assertThat(auto.weight(1, 4096)).isBetween(0.98, 1.0);
    assertThat(auto.weight(512, 576)).isCloseTo(0.639, within(1e-3));
    assertThat(auto.weight(4096, 576)).isCloseTo(0.385, within(1e-3));
    assertThat(auto.weight(1L << 40, 8)).isBetween(0.0, 1e-3);
  }

  @Test
  void whatIsSetCountsForAnyTokens() {
    Shrinkage set = new Shrinkage(OptionalDouble.of(0.5));
    assertThat(set.weight(64, 4096)).isEqualTo(set.weight(1 << 20, 8)).isEqualTo(0.5);
  }

  @Test
  void momentsOfNoTokensOrOfZerosStay() {
    for (InputMoments moments : List.of(moments(0, 3, 4), zeros())) {
      double before = moments.meanDiagonal();
      float corner = moments.blocks().getFirst().moments().get(0, 1);
      new Shrinkage(OptionalDouble.empty()).apply(moments);
      assertThat(moments.meanDiagonal()).isEqualTo(before);
      assertThat(moments.blocks().getFirst().moments().get(0, 1)).isEqualTo(corner);
    }
  }

  private InputMoments zeros() {
    FloatMatrix zeros = FloatMatrix.allocate(arena, 4, 4);
    return new InputMoments("zeros", 10, List.of(new InputMoments.Block(0, zeros)));
  }

  /** Two blocks of x x^T, some channels far larger than others. */
  private InputMoments moments(long tokens, int first, int second) {
    return new InputMoments(
        "input",
        tokens,
        List.of(
            new InputMoments.Block(0, square(first)),
            new InputMoments.Block(first, square(second))));
  }

  private FloatMatrix square(int channels) {
    SplittableRandom random = new SplittableRandom(channels);
    FloatMatrix square = FloatMatrix.allocate(arena, channels, channels);
    for (int token = 0; token < 3; token++) {
      double[] x = new double[channels];
      for (int i = 0; i < channels; i++) {
        x[i] = random.nextGaussian() * Math.exp(i % 4);
      }
      for (int i = 0; i < channels; i++) {
        for (int j = 0; j < channels; j++) {
          square.set(i, j, (float) (square.get(i, j) + x[i] * x[j]));
        }
      }
    }
    return square;
  }
}

package io.cafeq.engine.compute.scalar;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.cafeq.config.PairLoss;
import io.cafeq.config.Side;
import io.cafeq.engine.compute.Golden;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.transform.Orthogonal;
import io.cafeq.engine.transform.PairObjective;
import io.cafeq.engine.transform.PairProblem;
import io.cafeq.engine.transform.PairProblem.Factor;
import io.cafeq.engine.transform.Seeds;
import java.lang.foreign.Arena;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The reference losses of pairs: the golden case to 1e-9, and every gradient against finite
 * differences.
 */
class ScalarPairObjectiveTest {
  private final Arena arena = Arena.ofConfined();

  @AfterEach
  void close() {
    arena.close();
  }

  @Test
  void theGoldenLossAndGradient() {
    try (Golden golden = Golden.open()) {
      PairProblem problem =
          new PairProblem(
              new Factor(golden.matrix(arena, "pair.v"), Side.OUTPUT, 0, false),
              new Factor(golden.matrix(arena, "pair.o"), Side.INPUT, 0, false),
              PairLoss.EXPECTED_ERROR,
              5,
              0);
      double[] v = golden.doubles("pair.v");
      double[] o = golden.doubles("pair.o");
      double[][] left = new double[16][64];
      double[][] right = new double[16][48];
      for (int c = 0; c < 16; c++) {
        for (int i = 0; i < 64; i++) {
          left[c][i] = v[c * 64 + i];
        }
        for (int i = 0; i < 48; i++) {
          right[c][i] = o[i * 16 + c];
        }
      }
      PairObjective objective =
          new ScalarPairObjective(problem, new DenseWeights(left), new DenseWeights(right));
      PairObjective.Evaluation evaluation = objective.smooth(golden.doubles("block.m"), 16);
      double expected = golden.doubles("pair.loss")[0];
      assertThat(evaluation.loss()).isCloseTo(expected, within(1e-9 * Math.abs(expected)));
      double[] gradient = golden.doubles("pair.gradient");
      for (int i = 0; i < gradient.length; i++) {
        assertThat(evaluation.gradient()[i]).isCloseTo(gradient[i], within(1e-9));
      }
    }
  }

  static Stream<Arguments> problems() {
    return Stream.of(PairLoss.values())
        .flatMap(
            loss ->
                Stream.of(
                    Arguments.of(loss, Side.INPUT, 0, 0),
                    Arguments.of(loss, Side.INPUT, 10, 4),
                    Arguments.of(loss, Side.OUTPUT, 0, 12)));
  }

  @ParameterizedTest
  @MethodSource("problems")
  void gradientsAreSlopes(PairLoss loss, Side side, int leftGroup, int rightGroup) {
    FloatMatrix left = gaussian(8, 40, 1);
    FloatMatrix right = side == Side.INPUT ? gaussian(60, 8, 2) : gaussian(8, 60, 2);
    PairProblem problem =
        new PairProblem(
            new Factor(left, Side.OUTPUT, leftGroup, true),
            new Factor(right, side, rightGroup, false),
            loss,
            5,
            0.3);
    double[] m = Orthogonal.rotation(8, 3);
    double[] noise = Seeds.gaussians(new SplittableRandom(4), 64);
    double[] direction = Seeds.gaussians(new SplittableRandom(5), 64);
    for (int i = 0; i < 64; i++) {
      m[i] += 0.1 * noise[i];
    }
    try (PairObjective objective = new ScalarPairObjective(problem)) {
      for (int p : new int[] {8, 64}) {
        double step = 1e-6;
        double numeric =
            (objective.smooth(moved(m, direction, step), p).loss()
                    - objective.smooth(moved(m, direction, -step), p).loss())
                / (2 * step);
        double[] gradient = objective.smooth(m, p).gradient();
        double expected = 0;
        for (int i = 0; i < 64; i++) {
          expected += gradient[i] * direction[i];
        }
        assertThat(numeric).isCloseTo(expected, within(1e-5 * Math.abs(expected)));
      }
    }
  }

  @Test
  void scaleChangesTheExpectedErrorByAConstant() {
    FloatMatrix right = gaussian(60, 8, 2);
    double[] m = Orthogonal.rotation(8, 3);
    double[] losses = new double[2];
    for (int i = 0; i < 2; i++) {
      FloatMatrix left = gaussian(8, 40, 1);
      for (int c = 0; c < 40 && i == 1; c++) {
        for (int j = 0; j < 8; j++) {
          left.set(j, c, 4 * left.get(j, c));
        }
      }
      PairProblem problem =
          new PairProblem(
              new Factor(left, Side.OUTPUT, 0, false),
              new Factor(right, Side.INPUT, 0, false),
              PairLoss.EXPECTED_ERROR,
              5,
              0);
      losses[i] = new ScalarPairObjective(problem).hard(m);
    }
    assertThat(losses[1] - losses[0]).isCloseTo(Math.log(16), within(1e-9));
  }

  private FloatMatrix gaussian(int rows, int columns, long seed) {
    return Golden.matrix(
        arena, Seeds.gaussians(new SplittableRandom(seed), rows * columns), rows, columns);
  }

  private static double[] moved(double[] m, double[] direction, double step) {
    double[] moved = m.clone();
    for (int i = 0; i < m.length; i++) {
      moved[i] += step * direction[i];
    }
    return moved;
  }
}

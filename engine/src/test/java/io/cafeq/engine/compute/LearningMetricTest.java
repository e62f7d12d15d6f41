package io.cafeq.engine.compute;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.cafeq.config.Loss;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.transform.BlockLearner;
import io.cafeq.engine.transform.ChannelMetric;
import io.cafeq.engine.transform.LearnProblem;
import io.cafeq.engine.transform.Objective;
import io.cafeq.engine.transform.Orthogonal;
import io.cafeq.engine.transform.Seeds;
import io.cafeq.engine.transform.SquareMatrices;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Learning in the metric of the inputs: the gradient, the metric that says nothing, and what an
 * uneven one gains.
 */
@Numerics
class LearningMetricTest {
  private final Arena arena = Arena.ofConfined();

  @AfterEach
  void close() {
    arena.close();
  }

  @ParameterizedTest
  @ValueSource(strings = {"rows weighted", "rows transposed", "stripe", "stripe parts"})
  void theGradientIsTheSlope(String name) {
    LearnProblem problem =
        switch (name) {
          case "rows weighted" ->
              new LearnProblem.Rows(weights(6, 60), 20, false, false, false)
                  .weighted(new double[] {2.2, 0.1, 0.7});
          case "rows transposed" ->
              new LearnProblem.Rows(weights(60, 8), 0, true, true, true)
                  .in(UnevenMetric.of(List.of(8), 3));
          case "stripe" ->
              new LearnProblem.Stripe(
                  weights(40, 18), List.of(6, 12), 18, true, UnevenMetric.of(List.of(6, 12), 4));
          case "stripe parts" ->
              new LearnProblem.Stripe(
                  weights(40, 16), List.of(16), 4, false, UnevenMetric.of(List.of(16), 5));
          default -> throw new IllegalArgumentException(name);
        };
    List<double[]> blocks = rotations(problem.blocks());
    try (Objective objective = CpuObjectives.of("scalar").of(problem)) {
      for (int p : new int[] {8, 32}) {
        List<double[]> gradients = objective.smooth(blocks, p).gradients();
        for (int b = 0; b < blocks.size(); b++) {
          double[] m = blocks.get(b);
          for (int i = 0; i < m.length; i += 3) {
            double before = m[i];
            m[i] = before + 1e-6;
            double up = objective.smooth(blocks, p).loss();
            m[i] = before - 1e-6;
            double down = objective.smooth(blocks, p).loss();
            m[i] = before;
            double slope = (up - down) / 2e-6;
            assertThat(gradients.get(b)[i])
                .as("%s %d %d", name, b, i)
                .isCloseTo(slope, within(1e-5 * Math.max(1, Math.abs(slope))));
          }
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("io.cafeq.engine.compute.WorkingBackends#all")
  void theMetricOfWhiteInputsIsTheLossWithoutOne(String backend) {
    List<Integer> sizes = List.of(16, 8);
    double[] large = SquareMatrices.identity(16);
    double[] small = SquareMatrices.identity(8);
    for (int i = 0; i < 16; i++) {
      large[i * 16 + i] = 0.02;
    }
    for (int i = 0; i < 8; i++) {
      small[i * 8 + i] = 0.02;
    }
    FloatMatrix weights = weights(130, 24);
    LearnProblem plain = new LearnProblem.Stripe(weights, sizes, 24, true);
    LearnProblem white =
        new LearnProblem.Stripe(
            weights, sizes, 24, true, ChannelMetric.normalised(List.of(large, small)));
    List<double[]> blocks = rotations(sizes);
    Objective.Evaluation expected = evaluate(backend, plain, blocks);
    Objective.Evaluation found = evaluate(backend, white, blocks);
    assertThat(found.loss()).isCloseTo(expected.loss(), within(1e-6 * expected.loss()));
    assertThat(found.hardLoss()).isCloseTo(expected.hardLoss(), within(1e-6 * expected.hardLoss()));
    for (int b = 0; b < 2; b++) {
      double[] gradient = expected.gradients().get(b);
      double scale = Math.sqrt(SquareMatrices.dot(gradient, gradient));
      for (int i = 0; i < gradient.length; i++) {
        assertThat(found.gradients().get(b)[i]).isCloseTo(gradient[i], within(1e-5 * scale));
      }
    }
  }

  private static Objective.Evaluation evaluate(
      String backend, LearnProblem problem, List<double[]> blocks) {
    try (Objective objective = CpuObjectives.of(backend).of(problem)) {
      return objective.smooth(blocks, 16);
    }
  }

  @ParameterizedTest
  @MethodSource("io.cafeq.engine.compute.WorkingBackends#all")
  void blocksThatKnowTheInputsHaveTheSmallerExpectedOutputError(String backend) {
    FloatMatrix columns = weights(400, 32);
    ChannelMetric two = UnevenMetric.of(List.of(16, 16), 7);
    LearnProblem stripe = new LearnProblem.Stripe(columns, List.of(16, 16), 32, true);
    LearnProblem knowing = new LearnProblem.Stripe(columns, List.of(16, 16), 32, true, two);
    assertThat(outputError(backend, knowing, knowing))
        .isLessThan(0.7 * outputError(backend, stripe, knowing));

    LearnProblem.Rows rows = new LearnProblem.Rows(columns, 0, true, true, true);
    LearnProblem.Rows rowsKnowing = rows.in(UnevenMetric.of(List.of(32), 8));
    assertThat(outputError(backend, rowsKnowing, rowsKnowing))
        .isLessThan(0.7 * outputError(backend, rows, rowsKnowing));

    LearnProblem.Rows output = new LearnProblem.Rows(weights(16, 320), 32, false, false, false);
    LearnProblem.Rows weighted =
        output.weighted(new double[] {8, 0.1, 0.1, 0.3, 0.1, 0.1, 0.2, 0.4, 0.5, 0.2});
    assertThat(outputError(backend, weighted, weighted))
        .isLessThan(0.95 * outputError(backend, output, weighted));
  }

  /**
   * The true loss in what is asked for after learning by what is learned: tr(P^T H P) times the
   * squared ranges.
   */
  private static double outputError(String backend, LearnProblem learned, LearnProblem asked) {
    List<double[]> blocks;
    try (Objective objective = CpuObjectives.of(backend).of(learned)) {
      blocks =
          BlockLearner.learn(
              objective,
              learned.blocks(),
              rotations(learned.blocks()),
              Loss.P_NORM,
              100,
              new StopFlag());
    }
    try (Objective objective = CpuObjectives.of("scalar").of(asked)) {
      return objective.hard(blocks);
    }
  }

  @Test
  void aMetricThatDoesNotFitIsRefused() {
    ChannelMetric metric = UnevenMetric.of(List.of(8, 8), 9);
    assertThatThrownBy(
            () -> new LearnProblem.Stripe(weights(20, 16), List.of(16), 16, true, metric))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(
            () ->
                new LearnProblem.Rows(weights(4, 60), 20, true, false, false)
                    .weighted(new double[2]))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void inputsThatWereNeverSeenSayNothing() {
    assertThat(ChannelMetric.normalised(List.of(new double[16]))).isEqualTo(ChannelMetric.NONE);
  }

  private static List<double[]> rotations(List<Integer> sizes) {
    List<double[]> starts = new ArrayList<>();
    for (int k : sizes) {
      starts.add(Orthogonal.rotation(k, starts.size()));
    }
    return starts;
  }

  private FloatMatrix weights(int rows, int columns) {
    return Golden.matrix(
        arena, Seeds.gaussians(new SplittableRandom(72), rows * columns), rows, columns);
  }
}

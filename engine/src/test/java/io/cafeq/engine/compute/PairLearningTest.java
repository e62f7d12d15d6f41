package io.cafeq.engine.compute;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.cafeq.config.PairLoss;
import io.cafeq.config.PairOptimizer;
import io.cafeq.config.Side;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.transform.Orthogonal;
import io.cafeq.engine.transform.PairLearner;
import io.cafeq.engine.transform.PairLearner.Schedule;
import io.cafeq.engine.transform.PairObjective;
import io.cafeq.engine.transform.PairProblem;
import io.cafeq.engine.transform.PairProblem.Factor;
import io.cafeq.engine.transform.Seeds;
import io.cafeq.engine.transform.SquareMatrices;
import java.lang.foreign.Arena;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Pairs on every backend that works here: losses and gradients against the reference, and whole
 * runs of learning.
 */
@Numerics
class PairLearningTest {
  private static final int H = 16;

  private final Arena arena = Arena.ofConfined();

  @AfterEach
  void close() {
    arena.close();
  }

  static Stream<Arguments> problems() {
    return backends()
        .flatMap(
            backend ->
                Stream.of(PairLoss.values())
                    .flatMap(
                        loss ->
                            Stream.of(
                                Arguments.of(backend, loss, Side.INPUT, 0, 0),
                                Arguments.of(backend, loss, Side.INPUT, 50, 4),
                                Arguments.of(backend, loss, Side.OUTPUT, 750, 0),
                                Arguments.of(backend, loss, Side.OUTPUT, 0, 130))));
  }

  /**
   * Learning itself is the same on all backends: the slow reference takes part with one problem.
   */
  static Stream<Arguments> learned() {
    return problems()
        .filter(
            problem ->
                !problem.get()[0].equals("scalar")
                    || (problem.get()[1] == PairLoss.EXPECTED_ERROR
                        && problem.get()[3].equals(50)));
  }

  private static Stream<String> backends() {
    return Stream.of("scalar", "nd4j")
        .filter(
            id ->
                Backends.providers().stream()
                    .anyMatch(
                        p ->
                            p.id().equals(id)
                                && p.probe() instanceof ComputeBackend.Probe.Available));
  }

  @ParameterizedTest
  @MethodSource("problems")
  void lossesAndGradientsAgree(
      String backend, PairLoss loss, Side side, int leftGroup, int rightGroup) {
    PairProblem problem = problem(loss, side, leftGroup, rightGroup, 0.1);
    double[] m = start();
    try (ComputeLane lane = Backends.open(backend).openLane();
        ComputeLane reference = Backends.open("scalar").openLane();
        PairObjective objective = lane.pairObjective(problem);
        PairObjective expected = reference.pairObjective(problem)) {
      for (int p : new int[] {8, 32, 128}) {
        PairObjective.Evaluation one = objective.smooth(m, p);
        PairObjective.Evaluation other = expected.smooth(m, p);
        assertThat(one.loss()).isCloseTo(other.loss(), within(1e-6 * Math.max(100, other.loss())));
        assertThat(one.hardLoss())
            .isCloseTo(other.hardLoss(), within(1e-6 * Math.max(100, other.hardLoss())));
        assertThat(objective.hard(m))
            .isCloseTo(one.hardLoss(), within(1e-6 * Math.max(1, one.hardLoss())));
        double largest = 0;
        for (double g : other.gradient()) {
          largest = Math.max(largest, Math.abs(g));
        }
        for (int i = 0; i < m.length; i++) {
          assertThat(one.gradient()[i]).isCloseTo(other.gradient()[i], within(2e-4 * largest));
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("learned")
  void learningLowersTheLossTheSameWayEachTime(
      String backend, PairLoss loss, Side side, int leftGroup, int rightGroup) {
    PairProblem problem = problem(loss, side, leftGroup, rightGroup, 0);
    Schedule schedule =
        loss == PairLoss.EXPECTED_ERROR
            ? Schedule.falling(40, 0.1 / Math.sqrt(H))
            : Schedule.paper(PairOptimizer.ADAM, 40, 0.01);
    double[] start = Orthogonal.rotation(H, 3);
    try (ComputeLane lane = Backends.open(backend).openLane()) {
      double[] learned = learn(lane, problem, start, schedule);
      assertThat(learned).containsExactly(learn(lane, problem, start, schedule));
      try (PairObjective objective = lane.pairObjective(problem)) {
        assertThat(objective.hard(learned)).isLessThan(objective.hard(start) - 0.005);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("learned")
  void cayleyStepsStayRotations(
      String backend, PairLoss loss, Side side, int leftGroup, int rightGroup) {
    PairProblem problem = problem(loss, side, leftGroup, rightGroup, 0);
    try (ComputeLane lane = Backends.open(backend).openLane()) {
      double[] start = Orthogonal.rotation(H, 3);
      double[] m = learn(lane, problem, start, Schedule.paper(PairOptimizer.CAYLEY, 60, 0.03));
      double[] product = SquareMatrices.multiply(m, SquareMatrices.transpose(m, H), H);
      for (int i = 0; i < product.length; i++) {
        assertThat(product[i]).isCloseTo(i % (H + 1) == 0 ? 1 : 0, within(1e-10));
      }
      try (PairObjective objective = lane.pairObjective(problem)) {
        assertThat(objective.hard(m)).isLessThan(objective.hard(start));
      }
    }
  }

  @Test
  void whatCannotBeLearnedEndsWithTheStart() {
    backends()
        .forEach(
            backend -> {
              try (ComputeLane lane = Backends.open(backend).openLane()) {
                for (PairLoss loss : PairLoss.values()) {
                  double[] singular = new double[H * H];
                  Schedule schedule = Schedule.falling(20, 0.1);
                  assertThat(learn(lane, problem(loss, Side.INPUT, 0, 0, 0), singular, schedule))
                      .containsExactly(singular);
                  double[] start = Orthogonal.rotation(H, 3);
                  Factor zeros =
                      new Factor(FloatMatrix.allocate(arena, H, 40), Side.OUTPUT, 0, false);
                  PairProblem dead = new PairProblem(zeros, zeros, loss, 5, 0.1);
                  for (double x : learn(lane, dead, start, schedule)) {
                    assertThat(x).isFinite();
                  }
                }
              }
            });
  }

  @Test
  void aStoppedRunStops() {
    StopFlag stop = new StopFlag();
    stop.stop();
    try (ComputeLane lane = Backends.open("scalar").openLane();
        PairObjective objective =
            lane.pairObjective(problem(PairLoss.EXPECTED_ERROR, Side.INPUT, 0, 0, 0))) {
      assertThatThrownBy(
              () -> PairLearner.learn(objective, start(), Schedule.falling(20, 0.1), stop))
          .isInstanceOf(EngineException.class);
    }
  }

  private static double[] learn(
      ComputeLane lane, PairProblem problem, double[] start, Schedule schedule) {
    try (PairObjective objective = lane.pairObjective(problem)) {
      return PairLearner.learn(objective, start, schedule, new StopFlag());
    }
  }

  private PairProblem problem(
      PairLoss loss, Side side, int leftGroup, int rightGroup, double orthogonality) {
    FloatMatrix left = weights(H, 1500, 1);
    FloatMatrix right = side == Side.INPUT ? weights(300, H, 2) : weights(H, 780, 2);
    return new PairProblem(
        new Factor(left, Side.OUTPUT, leftGroup, false),
        new Factor(right, side, rightGroup, true),
        loss,
        5,
        orthogonality);
  }

  private static double[] start() {
    double[] m = Orthogonal.rotation(H, 3);
    double[] noise = Seeds.gaussians(new SplittableRandom(4), m.length);
    for (int i = 0; i < m.length; i++) {
      m[i] += 0.05 * noise[i];
    }
    return m;
  }

  private FloatMatrix weights(int rows, int columns, long seed) {
    double[] values = Seeds.gaussians(new SplittableRandom(seed), rows * columns);
    double[] scales = Seeds.gaussians(new SplittableRandom(seed + 100), rows + columns);
    for (int i = 0; i < values.length; i++) {
      values[i] *= 0.02 * Math.exp(0.3 * scales[i % columns] + 0.3 * scales[columns + i / columns]);
    }
    return Golden.matrix(arena, values, rows, columns);
  }
}

package io.cafeq.engine.compute;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cafeq.config.Loss;
import io.cafeq.config.PairLoss;
import io.cafeq.config.PairOptimizer;
import io.cafeq.config.Side;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.memory.MemoryNeed;
import io.cafeq.engine.transform.LearnProblem;
import io.cafeq.engine.transform.Objective;
import io.cafeq.engine.transform.Objectives;
import io.cafeq.engine.transform.Orthogonal;
import io.cafeq.engine.transform.PairLearner.Schedule;
import io.cafeq.engine.transform.PairObjective;
import io.cafeq.engine.transform.PairProblem;
import io.cafeq.engine.transform.SquareMatrices;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What every learner has to keep. Extend it, name the learner, and all of it runs against the
 * scalar reference: whole runs by the true loss within 0.5 %; where the learner shows its losses,
 * these and their gradients within 1e-4 of the largest entry.
 */
public abstract class LearnerContract {
  protected static final double RUN_TOLERANCE = 0.005;

  /** Steps that a whole run takes; both learners take as many. */
  private static final int STEPS = 60;

  protected final Arena arena = Arena.ofConfined();
  final ContractProblems problems = new ContractProblems(arena);
  private final Objectives reference = CpuObjectives.of("scalar");

  /** The learner under test. */
  protected abstract Learner learner();

  /** The losses that it evaluates, where it shows them. */
  private Optional<Objectives> objectives() {
    return learner() instanceof ObjectiveLearner cpu
        ? Optional.of(cpu.objectives())
        : Optional.empty();
  }

  @AfterEach
  void closeArena() {
    arena.close();
  }

  static Stream<String> blockProblems() {
    return ContractProblems.names();
  }

  @ParameterizedTest
  @MethodSource("blockProblems")
  void lossAndGradient(String name) {
    assumeTrue(objectives().isPresent());
    LearnProblem problem = problems.blocks(name);
    List<double[]> blocks = ContractProblems.starts(problem);
    try (Objective objective = objectives().orElseThrow().of(problem);
        Objective expected = reference.of(problem)) {
      for (int p : new int[] {8, 16, 32, 64, 128}) {
        Objective.Evaluation one = objective.smooth(blocks, p);
        Objective.Evaluation other = expected.smooth(blocks, p);
        assertThat(one.loss()).isCloseTo(other.loss(), within(1e-4 * other.loss()));
        assertThat(one.hardLoss()).isCloseTo(other.hardLoss(), within(1e-4 * other.hardLoss()));
        for (int b = 0; b < blocks.size(); b++) {
          assertClose(one.gradients().get(b), other.gradients().get(b), 1e-4);
        }
      }
      assertClose(objective.hardShares(blocks), expected.hardShares(blocks), 1e-4);
    }
  }

  @ParameterizedTest
  @MethodSource("blockProblems")
  void trueLossAndSubgradient(String name) {
    assumeTrue(objectives().isPresent());
    LearnProblem problem = problems.blocks(name);
    List<double[]> blocks = ContractProblems.starts(problem);
    try (Objective objective = objectives().orElseThrow().of(problem);
        Objective expected = reference.of(problem)) {
      Objective.Evaluation one = objective.subgradient(blocks);
      Objective.Evaluation other = expected.subgradient(blocks);
      assertThat(one.loss()).isCloseTo(other.loss(), within(1e-4 * other.loss()));
      assertThat(one.hardLoss()).isCloseTo(one.loss(), within(1e-6 * one.loss()));
      assertThat(one.loss()).isCloseTo(objective.hard(blocks), within(1e-6 * one.loss()));
      for (int b = 0; b < blocks.size(); b++) {
        assertClose(one.gradients().get(b), other.gradients().get(b), 1e-4);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"rows groups", "stripe tail", "rows groups weighted"})
  void aWholeRunOfLearning(String name) {
    LearnProblem problem = problems.blocks(name);
    double before = hard(problem, ContractProblems.starts(problem));
    double learned = hard(problem, learner().learn(task(problem), new StopFlag()));
    double expected = hard(problem, Learners.open("scalar").learn(task(problem), new StopFlag()));
    assertThat(Math.sqrt(learned))
        .isCloseTo(Math.sqrt(expected), within(RUN_TOLERANCE * Math.sqrt(expected)));
    assertThat(learned).isLessThan(0.9 * before);
  }

  /** By the reference. */
  private double hard(LearnProblem problem, List<double[]> blocks) {
    try (Objective objective = reference.of(problem)) {
      return objective.hard(blocks);
    }
  }

  private static LearningTask task(LearnProblem problem) {
    return LearningTask.of(problem, ContractProblems.starts(problem), Loss.P_NORM, STEPS);
  }

  @Test
  void balancedRowsHaveEqualRanges() {
    LearnProblem problem = problems.blocks("rows transposed");
    LearningTask task =
        new LearningTask.Blocks(
            LearningShape.Blocks.of(problem),
            Loss.P_NORM,
            20,
            true,
            room -> new LearningTask.BlockStart(problem, ContractProblems.starts(problem)));
    List<double[]> learned = learner().learn(task, new StopFlag());
    try (Objective objective = reference.of(problem)) {
      for (double share : objective.hardShares(learned)) {
        assertThat(share).isCloseTo(1, within(1e-4));
      }
    }
  }

  @Test
  void anAnswerIsTheSameInAnyBatchAndComesInOrder() {
    List<LearnProblem> all =
        Stream.of("stripe uneven blocks", "rows groups", "stripe tail")
            .map(problems::blocks)
            .toList();
    PairProblem pair = problems.pair(PairLoss.EXPECTED_ERROR, Side.INPUT, 50, 4, 0);
    List<LearningTask> tasks = new ArrayList<>();
    all.forEach(
        problem ->
            tasks.add(LearningTask.of(problem, ContractProblems.starts(problem), Loss.P_NORM, 20)));
    tasks.add(LearningTask.of(pair, ContractProblems.start(), Schedule.falling(20, 0.025)));
    try (Learning learning = learner().submit(tasks, new StopFlag())) {
      for (LearningTask task : tasks) {
        List<double[]> together = learning.next().blocks();
        List<double[]> alone = learner().learn(task, new StopFlag());
        assertThat(together).hasSameSizeAs(alone);
        for (int b = 0; b < alone.size(); b++) {
          assertThat(together.get(b)).containsExactly(alone.get(b));
        }
      }
    }
  }

  @Test
  void aBatchThatIsGivenUpLeavesTheLearnerWell() {
    LearningTask task = task(problems.blocks("stripe tail"));
    try (Learning learning = learner().submit(List.of(task, task, task), new StopFlag())) {
      assertThat(learning.next().blocks()).hasSize(2);
    }
    assertThat(learner().learn(task, new StopFlag())).hasSize(2);
  }

  @Test
  void aStoppedRunStops() {
    StopFlag stop = new StopFlag();
    stop.stop();
    LearningTask task = task(problems.blocks("stripe tail"));
    assertThatThrownBy(() -> learner().learn(task, stop))
        .isInstanceOfSatisfying(
            EngineException.class,
            stopped -> assertThat(stopped.kind()).isEqualTo(FailureKind.STOPPED));
  }

  @Test
  void whatCannotBeReadIsThrown() {
    EngineException broken =
        new EngineException(FailureKind.CHECKPOINT, "cut off", "Fetch it again.");
    LearningTask task =
        new LearningTask.Blocks(
            new LearningShape.Blocks(8, List.of(4), 128),
            Loss.P_NORM,
            1,
            false,
            room -> {
              throw broken;
            });
    assertThatThrownBy(() -> learner().learn(task, new StopFlag())).isSameAs(broken);
  }

  @Test
  void whatABatchNeedsIsWhatItsLargestTaskNeedsOrMore() {
    LearningShape small = new LearningShape.Blocks(64, List.of(16), 64 * 16 * 4);
    LearningShape large = new LearningShape.Blocks(4096, List.of(64, 64), 4096 * 128 * 4);
    MemoryNeed both = learner().need(List.of(small, large, small));
    MemoryNeed one = learner().need(List.of(large));
    assertThat(both.max(one)).isEqualTo(both);
    assertThat(one.nativeBytes()).isGreaterThanOrEqualTo(large.readBytes());
    assertThat(one.max(learner().need(List.of(small)))).isEqualTo(one);
  }

  static Stream<Arguments> pairProblems() {
    return Stream.of(PairLoss.values())
        .flatMap(
            loss ->
                Stream.of(
                    Arguments.of(loss, Side.INPUT, 0, 0),
                    Arguments.of(loss, Side.INPUT, 50, 4),
                    Arguments.of(loss, Side.OUTPUT, 750, 0),
                    Arguments.of(loss, Side.OUTPUT, 0, 130)));
  }

  @ParameterizedTest
  @MethodSource("pairProblems")
  void lossAndGradientOfPairs(PairLoss loss, Side side, int leftGroup, int rightGroup) {
    assumeTrue(objectives().isPresent());
    PairProblem problem = problems.pair(loss, side, leftGroup, rightGroup, 0.1);
    double[] m = ContractProblems.start();
    try (PairObjective objective = objectives().orElseThrow().of(problem);
        PairObjective expected = reference.of(problem)) {
      for (int p : new int[] {8, 32, 128}) {
        PairObjective.Evaluation one = objective.smooth(m, p);
        PairObjective.Evaluation other = expected.smooth(m, p);
        assertThat(one.loss()).isCloseTo(other.loss(), within(1e-6 * Math.max(100, other.loss())));
        assertThat(one.hardLoss())
            .isCloseTo(other.hardLoss(), within(1e-6 * Math.max(100, other.hardLoss())));
        assertThat(objective.hard(m))
            .isCloseTo(one.hardLoss(), within(1e-6 * Math.max(1, one.hardLoss())));
        assertClose(one.gradient(), other.gradient(), 2e-4);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(PairLoss.class)
  void learningAPairLowersTheLossTheSameWayEachTime(PairLoss loss) {
    PairProblem problem = problems.pair(loss, Side.INPUT, 50, 4, 0);
    Schedule schedule =
        loss == PairLoss.EXPECTED_ERROR
            ? Schedule.falling(40, 0.1 / Math.sqrt(ContractProblems.HEAD))
            : Schedule.paper(PairOptimizer.ADAM, 40, 0.01);
    double[] start = Orthogonal.rotation(ContractProblems.HEAD, 3);
    double[] learned = learn(problem, start, schedule);
    assertThat(learned).containsExactly(learn(problem, start, schedule));
    try (PairObjective objective = reference.of(problem)) {
      assertThat(objective.hard(learned)).isLessThan(objective.hard(start) - 0.005);
      double[] expected =
          Learners.open("scalar")
              .learn(LearningTask.of(problem, start, schedule), new StopFlag())
              .getFirst();
      double hard = objective.hard(expected);
      assertThat(objective.hard(learned))
          .isCloseTo(hard, within(RUN_TOLERANCE * Math.max(1, Math.abs(hard))));
    }
  }

  @ParameterizedTest
  @EnumSource(PairLoss.class)
  void cayleyStepsStayRotations(PairLoss loss) {
    PairProblem problem = problems.pair(loss, Side.OUTPUT, 750, 0, 0);
    int h = ContractProblems.HEAD;
    double[] start = Orthogonal.rotation(h, 3);
    double[] m = learn(problem, start, Schedule.paper(PairOptimizer.CAYLEY, 60, 0.03));
    double[] product = SquareMatrices.multiply(m, SquareMatrices.transpose(m, h), h);
    for (int i = 0; i < product.length; i++) {
      assertThat(product[i]).isCloseTo(i % (h + 1) == 0 ? 1 : 0, within(1e-10));
    }
    try (PairObjective objective = reference.of(problem)) {
      assertThat(objective.hard(m)).isLessThan(objective.hard(start));
    }
  }

  @ParameterizedTest
  @EnumSource(PairLoss.class)
  void whatCannotBeLearnedEndsWithTheStart(PairLoss loss) {
    int h = ContractProblems.HEAD;
    Schedule schedule = Schedule.falling(20, 0.1);
    double[] singular = new double[h * h];
    assertThat(learn(problems.pair(loss, Side.INPUT, 0, 0, 0), singular, schedule))
        .containsExactly(singular);
    PairProblem.Factor zeros =
        new PairProblem.Factor(FloatMatrix.allocate(arena, h, 40), Side.OUTPUT, 0, false);
    PairProblem dead = new PairProblem(zeros, zeros, loss, 5, 0.1);
    for (double x : learn(dead, Orthogonal.rotation(h, 3), schedule)) {
      assertThat(x).isFinite();
    }
  }

  private double[] learn(PairProblem problem, double[] start, Schedule schedule) {
    return learner().learn(LearningTask.of(problem, start, schedule), new StopFlag()).getFirst();
  }

  static void assertClose(double[] actual, double[] expected, double tolerance) {
    double largest = Arrays.stream(expected).map(Math::abs).max().orElseThrow();
    for (int i = 0; i < expected.length; i++) {
      assertThat(actual[i]).isCloseTo(expected[i], within(tolerance * largest));
    }
  }
}

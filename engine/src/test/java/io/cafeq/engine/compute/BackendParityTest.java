package io.cafeq.engine.compute;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cafeq.config.Rounding;
import io.cafeq.config.ScaleStorage;
import io.cafeq.config.Side;
import io.cafeq.config.TransformStorage;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.grid.EncodedSlab;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.grid.SlabBuffers;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.rounding.InputMetric;
import io.cafeq.engine.rounding.RoundingRule;
import io.cafeq.engine.rounding.SlabTransforms;
import io.cafeq.engine.transform.BlockLearner;
import io.cafeq.engine.transform.BlockTransform;
import io.cafeq.engine.transform.ChannelMetric;
import io.cafeq.engine.transform.LearnProblem;
import io.cafeq.engine.transform.Objective;
import io.cafeq.engine.transform.Orthogonal;
import io.cafeq.engine.transform.Seeds;
import io.cafeq.engine.transform.SquareMatrices;
import io.cafeq.engine.transform.StoredTransforms;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Every backend that works here against the scalar reference: loss and gradient within 1e-4 of the
 * largest entry, plain codes equal but at rounding boundaries, nearest plane and whole runs by
 * error within 0.5 %.
 */
@Numerics
class BackendParityTest {
  private final Arena arena = Arena.ofConfined();
  private final ComputeBackend reference = Backends.open("scalar");

  @AfterEach
  void close() {
    arena.close();
  }

  static Stream<String> backends() {
    return Backends.providers().stream()
        .filter(provider -> !provider.id().equals("scalar"))
        .filter(provider -> provider.probe() instanceof ComputeBackend.Probe.Available)
        .map(ComputeBackend.Provider::id);
  }

  static Stream<Arguments> problems() {
    return backends()
        .flatMap(
            backend ->
                Stream.of(
                        "rows whole",
                        "rows long groups",
                        "rows groups",
                        "rows small block",
                        "rows long in small blocks",
                        "rows transposed",
                        "stripe one block",
                        "stripe part groups",
                        "stripe many blocks",
                        "stripe uneven blocks",
                        "stripe tail",
                        "rows long groups weighted",
                        "rows groups weighted",
                        "rows transposed in a metric",
                        "stripe part groups in a metric",
                        "stripe tail in a metric")
                    .map(problem -> Arguments.of(backend, problem)));
  }

  private LearnProblem problem(String name) {
    return switch (name) {
      case "rows whole" -> new LearnProblem.Rows(weights(32, 1500, 1), 0, false, false, false);
      case "rows long groups" ->
          new LearnProblem.Rows(weights(16, 2400, 2), 1200, false, false, false);
      case "rows groups" -> new LearnProblem.Rows(weights(32, 960, 3), 96, false, false, false);
      case "rows small block" -> new LearnProblem.Rows(weights(8, 700, 4), 28, true, false, false);
      case "rows long in small blocks" ->
          new LearnProblem.Rows(weights(8, 20011, 11), 0, false, false, false);
      case "rows transposed" -> new LearnProblem.Rows(weights(900, 16, 5), 0, false, true, true);
      case "stripe one block" ->
          new LearnProblem.Stripe(weights(700, 32, 6), List.of(32), 32, true);
      case "stripe part groups" ->
          new LearnProblem.Stripe(weights(700, 32, 7), List.of(32), 8, false);
      case "stripe many blocks" ->
          new LearnProblem.Stripe(weights(300, 64, 8), List.of(16, 16, 16, 16), 64, true);
      case "stripe uneven blocks" ->
          new LearnProblem.Stripe(weights(300, 96, 9), List.of(32, 32, 32), 48, true);
      case "stripe tail" -> new LearnProblem.Stripe(weights(130, 24, 10), List.of(16, 8), 24, true);
      case "rows long groups weighted" ->
          ((LearnProblem.Rows) problem("rows long groups")).weighted(new double[] {0.3, 1.7});
      case "rows groups weighted" ->
          ((LearnProblem.Rows) problem("rows groups"))
              .weighted(new double[] {0.1, 2, 0.9, 4, 0, 0.5, 0.5, 1, 0.5, 0.5});
      case "rows transposed in a metric" ->
          ((LearnProblem.Rows) problem("rows transposed")).in(uneven(16));
      case "stripe part groups in a metric" ->
          new LearnProblem.Stripe(weights(700, 32, 7), List.of(32), 8, false, uneven(32));
      case "stripe tail in a metric" ->
          new LearnProblem.Stripe(weights(130, 24, 10), List.of(16, 8), 24, true, uneven(16, 8));
      default -> throw new IllegalArgumentException(name);
    };
  }

  private static ChannelMetric uneven(int... sizes) {
    return UnevenMetric.of(Arrays.stream(sizes).boxed().toList(), 61);
  }

  @ParameterizedTest
  @MethodSource("problems")
  void lossAndGradient(String backend, String name) {
    LearnProblem problem = problem(name);
    List<double[]> blocks = starts(problem);
    try (ComputeLane lane = Backends.open(backend).openLane();
        ComputeLane referenceLane = reference.openLane();
        Objective objective = lane.objective(problem);
        Objective expected = referenceLane.objective(problem)) {
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
  @MethodSource("problems")
  void trueLossAndSubgradient(String backend, String name) {
    LearnProblem problem = problem(name);
    List<double[]> blocks = starts(problem);
    try (ComputeLane lane = Backends.open(backend).openLane();
        ComputeLane referenceLane = reference.openLane();
        Objective objective = lane.objective(problem);
        Objective expected = referenceLane.objective(problem)) {
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
  @MethodSource("backends")
  void aWholeRunOfLearning(String backend) {
    LearnProblem problem = problem("rows groups");
    double learned = learnedLoss(Backends.open(backend), problem);
    double expected = learnedLoss(reference, problem);
    assertThat(Math.sqrt(learned))
        .isCloseTo(Math.sqrt(expected), within(0.005 * Math.sqrt(expected)));
    try (ComputeLane lane = reference.openLane();
        Objective objective = lane.objective(problem)) {
      assertThat(learned).isLessThan(0.8 * objective.hard(starts(problem)));
    }
  }

  private double learnedLoss(ComputeBackend backend, LearnProblem problem) {
    try (ComputeLane lane = backend.openLane();
        Objective objective = lane.objective(problem)) {
      List<double[]> learned =
          BlockLearner.learn(objective, problem.blocks(), starts(problem), 60, new StopFlag());
      return objective.hard(learned);
    }
  }

  @ParameterizedTest
  @MethodSource("backends")
  void theSameBytesEachTime(String backend) {
    LearnProblem problem = problem("stripe uneven blocks");
    List<List<double[]>> runs = new ArrayList<>();
    for (int run = 0; run < 2; run++) {
      try (ComputeLane lane = Backends.open(backend).openLane();
          Objective objective = lane.objective(problem)) {
        runs.add(
            BlockLearner.learn(objective, problem.blocks(), starts(problem), 20, new StopFlag()));
      }
    }
    for (int b = 0; b < 3; b++) {
      assertThat(runs.get(0).get(b)).containsExactly(runs.get(1).get(b));
    }
  }

  static Stream<Arguments> grids() {
    return backends()
        .flatMap(
            backend ->
                Arrays.stream(ScaleStorage.values())
                    .flatMap(
                        storage ->
                            Stream.of(0, 24, 96)
                                .flatMap(
                                    group ->
                                        Stream.of(2, 3, 4, 5, 8)
                                            .map(
                                                bits ->
                                                    Arguments.of(backend, storage, group, bits)))));
  }

  @ParameterizedTest
  @MethodSource("grids")
  void plainRounding(String backend, ScaleStorage storage, int group, int bits) {
    GridSpec grid = new GridSpec(bits, group, storage, bits == 5 ? 6 : 8, bits != 3);
    FloatMatrix weights = weights(70, 576, 31);
    Encoded one =
        encode(
            Backends.open(backend),
            weights,
            grid,
            new SlabTransforms.None(),
            new RoundingRule.Nearest());
    Encoded other =
        encode(reference, weights, grid, new SlabTransforms.None(), new RoundingRule.Nearest());
    assertThat(one.differences(other)).isLessThan(0.002);
    assertThat(one.squaredError())
        .isCloseTo(other.squaredError(), within(1e-3 * other.squaredError()));
    assertThat(one.squaredNorm())
        .isCloseTo(other.squaredNorm(), within(1e-5 * other.squaredNorm()));
    try (ComputeLane lane = Backends.open(backend).openLane()) {
      assertThat(lane.encoder().plainError(weights, grid, InputMetric.NONE).squared())
          .isCloseTo(one.squaredError(), within(1e-6 * one.squaredError()));
    }
  }

  @ParameterizedTest
  @EnumSource(Rounding.class)
  void transformedOnBothSides(Rounding rounding) {
    backends()
        .forEach(
            backend -> {
              for (Side side : Side.values()) {
                for (String kind : List.of("rotation", "skewed", "hadamard")) {
                  FloatMatrix weights =
                      side == Side.OUTPUT ? weights(40, 192, 41) : weights(130, 40, 42);
                  SlabTransforms transforms =
                      new SlabTransforms.Blocks(
                          side, List.of(block(side, kind, 0, 32), block(side, kind, 32, 8)));
                  GridSpec grid =
                      new GridSpec(4, side == Side.OUTPUT ? 48 : 20, ScaleStorage.OFFSET, 8, true);
                  RoundingRule rule = RoundingRule.of(rounding, 43, 7);
                  Encoded one = encode(Backends.open(backend), weights, grid, transforms, rule);
                  Encoded other = encode(reference, weights, grid, transforms, rule);
                  assertThat(Math.sqrt(one.squaredError()))
                      .as(side + " " + kind)
                      .isCloseTo(
                          Math.sqrt(other.squaredError()),
                          within(0.005 * Math.sqrt(other.squaredError())));
                }
              }
            });
  }

  @ParameterizedTest
  @ValueSource(strings = {"scalar", "nd4j"})
  void nearestPlaneIsBetterThanNearest(String backend) {
    assumeTrue(backend.equals("scalar") || backends().anyMatch(backend::equals));
    FloatMatrix weights = weights(32, 480, 51);
    SlabTransforms transforms =
        new SlabTransforms.Blocks(Side.OUTPUT, List.of(block(Side.OUTPUT, "skewed", 0, 32)));
    GridSpec grid = new GridSpec(3, 96, ScaleStorage.ZERO_POINT, 8, true);
    Encoded plane =
        encode(Backends.open(backend), weights, grid, transforms, new RoundingRule.NearestPlane());
    Encoded nearest =
        encode(Backends.open(backend), weights, grid, transforms, new RoundingRule.Nearest());
    assertThat(plane.squaredError()).isLessThan(nearest.squaredError());
  }

  @Test
  void zerosAndConstantsAreExact() {
    FloatMatrix weights = FloatMatrix.allocate(arena, 4, 64);
    for (int c = 0; c < 64; c++) {
      weights.set(1, c, 0.5f);
      weights.set(2, c, c < 32 ? 0 : 0.25f);
    }
    Stream.concat(backends(), Stream.of("scalar"))
        .forEach(
            backend -> {
              for (ScaleStorage storage : List.of(ScaleStorage.ZERO_POINT, ScaleStorage.OFFSET)) {
                GridSpec grid = new GridSpec(4, 16, storage, 8, true);
                Encoded encoded =
                    encode(
                        Backends.open(backend),
                        weights,
                        grid,
                        new SlabTransforms.None(),
                        new RoundingRule.Nearest());
                assertThat(encoded.squaredError())
                    .as(backend + " " + storage)
                    .isLessThan(1e-6 * encoded.squaredNorm());
              }
            });
  }

  private record Encoded(byte[] codes, double squaredError, double squaredNorm) {
    /** Share of bytes of codes that differ. */
    double differences(Encoded other) {
      int count = 0;
      for (int i = 0; i < codes.length; i++) {
        count += codes[i] == other.codes[i] ? 0 : 1;
      }
      return (double) count / codes.length;
    }
  }

  private Encoded encode(
      ComputeBackend backend,
      FloatMatrix weights,
      GridSpec grid,
      SlabTransforms transforms,
      RoundingRule rule) {
    try (ComputeLane lane = backend.openLane()) {
      SlabBuffers buffers = new SlabBuffers(arena, grid, weights.rows(), weights.columns());
      EncodedSlab slab =
          lane.encoder().encode(weights, grid, transforms, InputMetric.NONE, rule, buffers);
      return new Encoded(
          slab.codes().toArray(ValueLayout.JAVA_BYTE), slab.squaredError(), slab.squaredNorm());
    }
  }

  private static BlockTransform block(Side side, String kind, int first, int k) {
    if (kind.equals("hadamard")) {
      return BlockTransform.of(StoredTransforms.hadamard(side, first, k, 7)).orElseThrow();
    }
    double[] p = Orthogonal.rotation(k, 3);
    if (kind.equals("skewed")) {
      double[] noise = Seeds.gaussians(new SplittableRandom(4), k * k);
      for (int i = 0; i < p.length; i++) {
        p[i] += 0.1 * noise[i];
      }
    }
    return BlockTransform.of(StoredTransforms.store(side, first, k, p, TransformStorage.INT8))
        .orElseThrow();
  }

  private List<double[]> starts(LearnProblem problem) {
    List<double[]> starts = new ArrayList<>();
    for (int k : problem.blocks()) {
      double[] m = Orthogonal.rotation(k, starts.size());
      double[] noise = Seeds.gaussians(new SplittableRandom(k), k * k);
      for (int i = 0; i < m.length; i++) {
        m[i] += 0.02 * noise[i];
      }
      starts.add(m);
    }
    return starts;
  }

  private FloatMatrix weights(int rows, int columns, long seed) {
    double[] values = Seeds.gaussians(new SplittableRandom(seed), rows * columns);
    double[] scales = Seeds.gaussians(new SplittableRandom(seed + 100), columns);
    for (int i = 0; i < values.length; i++) {
      values[i] *= 0.02 * Math.exp(0.3 * scales[i % columns]);
    }
    return Golden.matrix(arena, values, rows, columns);
  }

  private static void assertClose(double[] actual, double[] expected, double tolerance) {
    double largest = Arrays.stream(expected).map(Math::abs).max().orElseThrow();
    for (int i = 0; i < expected.length; i++) {
      assertThat(actual[i]).isCloseTo(expected[i], within(tolerance * largest));
    }
  }

  @Test
  void rotationsAreOrthogonal() {
    for (int k : new int[] {1, 2, 8, 33, 128}) {
      double[] q = Orthogonal.rotation(k, k);
      double[] product = SquareMatrices.multiply(SquareMatrices.transpose(q, k), q, k);
      assertClose(product, SquareMatrices.identity(k), 1e-12);
    }
  }
}

package io.cafeq.engine.compute;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.cafeq.config.PairRounding;
import io.cafeq.config.ScaleStorage;
import io.cafeq.config.Side;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.grid.EncodedSlab;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.grid.GridValues;
import io.cafeq.engine.grid.SlabBuffers;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.rounding.InputMetric;
import io.cafeq.engine.rounding.PairBiases;
import io.cafeq.engine.rounding.PairFactor;
import io.cafeq.engine.rounding.PairHeads;
import io.cafeq.engine.rounding.PairInputs;
import io.cafeq.engine.rounding.PairRounder;
import io.cafeq.engine.rounding.RoundedPair;
import io.cafeq.engine.rounding.SlabTransforms;
import io.cafeq.engine.statistics.InputMoments;
import io.cafeq.engine.transform.BlockTransform;
import io.cafeq.engine.transform.Orthogonal;
import io.cafeq.engine.transform.Seeds;
import io.cafeq.engine.transform.SquareMatrices;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Rounding of values and outputs where their inputs are known. Each of four query heads mixes the
 * layer's inputs in its own way, two of them share a head of values, and a few channels carry most
 * of the energy.
 */
@Numerics
class PairInputsTest {
  private static final int SIZE = 16;
  private static final int COLUMNS = 48;
  private static final int OUT = 40;
  private static final int TOKENS = 500;
  private static final double DAMPING = 0.01;
  private static final List<Integer> LEFT_OF_RIGHT = List.of(0, 0, 1, 1);
  private static final GridSpec VALUES = new GridSpec(3, 24, ScaleStorage.ZERO_POINT, 8, true);
  private static final GridSpec OUTPUTS = new GridSpec(3, 16, ScaleStorage.SYMMETRIC, 8, true);

  private final Arena arena = Arena.ofConfined();
  private final double[][] v = matrix(2 * SIZE, COLUMNS, 1);
  private final double[][] o = matrix(OUT, 4 * SIZE, 2);

  /** What each query head mixes: [head][token][channel]. */
  private final double[][][] mixed = mixed();

  @AfterEach
  void close() {
    arena.close();
  }

  static Stream<Arguments> methods() {
    return WorkingBackends.all()
        .flatMap(
            backend ->
                Stream.of(PairRounding.values())
                    .flatMap(
                        method ->
                            Stream.of(1, 3).map(blocks -> Arguments.of(backend, method, blocks))));
  }

  @ParameterizedTest
  @MethodSource("methods")
  void theOutputErrorIsThatOfWhatTheCodesStandFor(String backend, PairRounding method, int blocks) {
    try (ComputeLane lane = Backends.open(backend).openLane()) {
      RoundedPair rounded = round(lane, method, Optional.of(inputs(lane, blocks)));
      double expected = share(effective(lane, rounded), blocks);
      assertThat(rounded.outputShare().orElseThrow()).isCloseTo(expected, within(1e-4 * expected));
      assertThat(rounded.outputShare().orElseThrow()).isBetween(1e-4, 0.2);
      assertThat(round(lane, method, Optional.empty()).outputShare()).isEmpty();
    }
  }

  @ParameterizedTest
  @MethodSource("io.cafeq.engine.compute.WorkingBackends#all")
  void knowingTheInputsLowersTheErrorOfTheOutputs(String backend) {
    try (ComputeLane lane = Backends.open(backend).openLane()) {
      RoundedPair inTurns = round(lane, PairRounding.NEAREST_PLANE, Optional.empty());
      RoundedPair knowing = round(lane, PairRounding.NEAREST_PLANE, Optional.of(inputs(lane, 1)));
      Factors turned = effective(lane, inTurns);
      Factors known = effective(lane, knowing);
      assertThat(share(known, 1)).isLessThan(0.8 * share(turned, 1));
      assertThat(trueError(known)).isLessThan(0.8 * trueError(turned));
    }
  }

  @ParameterizedTest
  @MethodSource("io.cafeq.engine.compute.WorkingBackends#all")
  void theSameCodesAndErrorsEachTime(String backend) {
    try (ComputeLane lane = Backends.open(backend).openLane()) {
      RoundedPair one = round(lane, PairRounding.NEAREST_PLANE, Optional.of(inputs(lane, 1)));
      RoundedPair other = round(lane, PairRounding.NEAREST_PLANE, Optional.of(inputs(lane, 1)));
      assertThat(one.outputShare()).isEqualTo(other.outputShare());
      assertThat(one.relativeErrors()).isEqualTo(other.relativeErrors()).hasSize(1);
      assertThat(effective(lane, one).o()).isDeepEqualTo(effective(lane, other).o());
    }
  }

  @Test
  void deadHeadsAndInputsDoNotFail() {
    WorkingBackends.all()
        .forEach(
            backend -> {
              try (ComputeLane lane = Backends.open(backend).openLane()) {
                for (int i = 0; i < SIZE; i++) {
                  Arrays.fill(v[i], 0);
                  for (double[] row : o) {
                    row[3 * SIZE + i] = 0;
                  }
                }
                RoundedPair dead =
                    round(lane, PairRounding.NEAREST_PLANE, Optional.of(inputs(lane, 1)));
                assertThat(dead.outputShare().orElseThrow()).isBetween(0.0, 0.2);
                PairInputs known = inputs(lane, 1);
                known.left().blocks().forEach(block -> block.moments().segment().fill((byte) 0));
                known.right().blocks().forEach(block -> block.moments().segment().fill((byte) 0));
                PairInputs silent =
                    PairInputs.of(known.left(), known.right(), DAMPING, lane.products(), arena);
                RoundedPair unseen = round(lane, PairRounding.NEAREST_PLANE, Optional.of(silent));
                assertThat(unseen.outputShare().orElseThrow()).isZero();
                assertThat(unseen.relativeError()).isFinite().isLessThan(0.5);
              }
            });
  }

  private RoundedPair round(ComputeLane lane, PairRounding method, Optional<PairInputs> inputs) {
    return new PairRounder(
            new PairFactor.InMemory(floats(v), Side.OUTPUT, SIZE),
            new PairFactor.InMemory(floats(o), Side.INPUT, 16),
            PairBiases.none(),
            new PairHeads(SIZE, LEFT_OF_RIGHT),
            VALUES,
            OUTPUTS,
            lane.encoder(),
            inputs,
            new StopFlag())
        .round(ms(), method, 2);
  }

  private static List<double[]> ms() {
    return IntStream.range(0, 2)
        .mapToObj(
            i -> {
              double[] m = Orthogonal.rotation(SIZE, i);
              double[] noise = Seeds.gaussians(new SplittableRandom(50 + i), SIZE * SIZE);
              for (int j = 0; j < m.length; j++) {
                m[j] += 0.05 * noise[j];
              }
              return m;
            })
        .toList();
  }

  /** Moments in so many blocks of equal size; what lies beyond them is left out. */
  private PairInputs inputs(ComputeLane lane, int blocks) {
    return PairInputs.of(
        moments(leftMoments(), blocks),
        moments(rightMoments(), blocks),
        DAMPING,
        lane.products(),
        arena);
  }

  private InputMoments moments(double[][] h, int blocks) {
    List<InputMoments.Block> all = new ArrayList<>();
    for (int first : edges(h.length, blocks)) {
      int size = Math.min(width(h.length, blocks), h.length - first);
      FloatMatrix moments = FloatMatrix.allocate(arena, size, size);
      for (int i = 0; i < size; i++) {
        for (int j = 0; j < size; j++) {
          moments.set(i, j, (float) h[first + i][first + j]);
        }
      }
      all.add(new InputMoments.Block(first, moments));
    }
    return new InputMoments("x", TOKENS, all);
  }

  private static int width(int n, int blocks) {
    return (n / blocks + SIZE - 1) / SIZE * SIZE;
  }

  private static List<Integer> edges(int n, int blocks) {
    return IntStream.iterate(0, first -> first < n, first -> first + width(n, blocks))
        .boxed()
        .toList();
  }

  private double[][] leftMoments() {
    double[][] h = new double[COLUMNS][COLUMNS];
    for (double[][] head : mixed) {
      for (double[] x : head) {
        addSquare(h, x, 1.0 / (TOKENS * mixed.length));
      }
    }
    return h;
  }

  private double[][] rightMoments() {
    double[][] h = new double[4 * SIZE][4 * SIZE];
    for (int token = 0; token < TOKENS; token++) {
      addSquare(h, values(v, token), 1.0 / TOKENS);
    }
    return h;
  }

  /** What O is multiplied with for one token. */
  private double[] values(double[][] values, int token) {
    double[] a = new double[4 * SIZE];
    for (int i = 0; i < a.length; i++) {
      int head = i / SIZE;
      a[i] = dot(values[LEFT_OF_RIGHT.get(head) * SIZE + i % SIZE], mixed[head][token]);
    }
    return a;
  }

  private static void addSquare(double[][] h, double[] x, double weight) {
    for (int i = 0; i < x.length; i++) {
      for (int j = 0; j < x.length; j++) {
        h[i][j] += weight * x[i] * x[j];
      }
    }
  }

  /** Both factors as their codes have them, with M undone. */
  private record Factors(double[][] v, double[][] o) {}

  private Factors effective(ComputeLane lane, RoundedPair rounded) {
    double[][] left =
        decoded(lane, v, Side.OUTPUT, VALUES, rounded.left(), rounded.leftMetric(), rounded);
    double[][] right =
        decoded(lane, o, Side.INPUT, OUTPUTS, rounded.right(), rounded.rightMetric(), rounded);
    double[][] values = new double[2 * SIZE][COLUMNS];
    double[][] outputs = new double[OUT][4 * SIZE];
    for (int i = 0; i < values.length; i++) {
      double[] p = SquareMatrices.invert(ms().get(i / SIZE), SIZE);
      for (int c = 0; c < COLUMNS; c++) {
        for (int j = 0; j < SIZE; j++) {
          values[i][c] += p[i % SIZE * SIZE + j] * left[i / SIZE * SIZE + j][c];
        }
      }
    }
    for (int row = 0; row < OUT; row++) {
      for (int i = 0; i < 4 * SIZE; i++) {
        double[] m = ms().get(LEFT_OF_RIGHT.get(i / SIZE));
        for (int j = 0; j < SIZE; j++) {
          outputs[row][i] += right[row][i / SIZE * SIZE + j] * m[j * SIZE + i % SIZE];
        }
      }
    }
    return new Factors(values, outputs);
  }

  private double[][] decoded(
      ComputeLane lane,
      double[][] weights,
      Side side,
      GridSpec grid,
      List<BlockTransform> blocks,
      InputMetric metric,
      RoundedPair rounded) {
    int slabRows = 16;
    double[][] all = new double[weights.length][weights[0].length];
    FloatMatrix floats = floats(weights);
    for (int first = 0; first < weights.length; first += slabRows) {
      FloatMatrix slab = floats.slice(first, Math.min(slabRows, weights.length - first));
      List<BlockTransform> own =
          side == Side.OUTPUT ? blocks.subList(first / SIZE, first / SIZE + 1) : blocks;
      SlabBuffers buffers = new SlabBuffers(arena, grid, slab.rows(), slab.columns());
      EncodedSlab encoded =
          lane.encoder()
              .encode(
                  slab,
                  grid,
                  new SlabTransforms.Blocks(side, own),
                  metric,
                  rounded.rounding(),
                  buffers);
      GridValues values = new GridValues(encoded);
      float[] row = new float[slab.columns()];
      for (int i = 0; i < slab.rows(); i++) {
        values.read(i, 0, row.length, row);
        for (int c = 0; c < row.length; c++) {
          all[first + i][c] = row[c];
        }
      }
    }
    return all;
  }

  /**
   * Half the squared relative output errors of both factors, in damped moments, by the definition.
   */
  private double share(Factors rounded, int blocks) {
    double[][] h = damped(leftMoments(), blocks);
    double[][] heads = damped(rightMoments(), blocks);
    double[] left = new double[2];
    for (int head = 0; head < 4; head++) {
      for (int i = 0; i < SIZE; i++) {
        for (int j = 0; j < SIZE; j++) {
          double gram = 0;
          for (double[] row : o) {
            gram += row[head * SIZE + i] * row[head * SIZE + j];
          }
          int a = LEFT_OF_RIGHT.get(head) * SIZE + i;
          int b = LEFT_OF_RIGHT.get(head) * SIZE + j;
          left[0] +=
              gram * form(difference(rounded.v()[a], v[a]), h, difference(rounded.v()[b], v[b]));
          left[1] += gram * form(v[a], h, v[b]);
        }
      }
    }
    double[] right = new double[2];
    for (int row = 0; row < OUT; row++) {
      double[] error = difference(rounded.o()[row], o[row]);
      right[0] += form(error, heads, error);
      right[1] += form(o[row], heads, o[row]);
    }
    return (left[0] / left[1] + right[0] / right[1]) / 2;
  }

  private static double[][] damped(double[][] h, int blocks) {
    double[][] damped = new double[h.length][h.length];
    double mean = 0;
    for (int i = 0; i < h.length; i++) {
      mean += h[i][i] / h.length;
    }
    int width = width(h.length, blocks);
    for (int i = 0; i < h.length; i++) {
      for (int j = 0; j < h.length; j++) {
        damped[i][j] = (i / width == j / width ? h[i][j] : 0) + (i == j ? DAMPING * mean : 0);
      }
    }
    return damped;
  }

  /** Mean square of the layer's output error over all tokens, both factors rounded. */
  private double trueError(Factors rounded) {
    double sum = 0;
    for (int token = 0; token < TOKENS; token++) {
      double[] exact = values(v, token);
      double[] found = values(rounded.v(), token);
      for (int row = 0; row < OUT; row++) {
        double error = dot(o[row], exact) - dot(rounded.o()[row], found);
        sum += error * error / TOKENS;
      }
    }
    return sum;
  }

  private static double form(double[] x, double[][] h, double[] y) {
    double sum = 0;
    for (int i = 0; i < x.length; i++) {
      sum += x[i] * dot(h[i], y);
    }
    return sum;
  }

  private static double dot(double[] x, double[] y) {
    double sum = 0;
    for (int i = 0; i < x.length; i++) {
      sum += x[i] * y[i];
    }
    return sum;
  }

  private static double[] difference(double[] x, double[] y) {
    double[] difference = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      difference[i] = x[i] - y[i];
    }
    return difference;
  }

  private static double[][][] mixed() {
    SplittableRandom random = new SplittableRandom(3);
    double[] scales = Seeds.gaussians(random, COLUMNS);
    double[][] directions = matrix(3, COLUMNS, 4);
    double[][][] all = new double[4][TOKENS][COLUMNS];
    for (int token = 0; token < TOKENS; token++) {
      double[] together = Seeds.gaussians(random, 3);
      for (double[][] head : all) {
        double[] own = Seeds.gaussians(random, COLUMNS);
        for (int i = 0; i < COLUMNS; i++) {
          double common = 0;
          for (int d = 0; d < 3; d++) {
            common += 40 * together[d] * directions[d][i];
          }
          head[token][i] = Math.exp(0.9 * scales[i]) * (common + 0.7 * own[i]);
        }
      }
    }
    return all;
  }

  private static double[][] matrix(int rows, int columns, long seed) {
    double[] values = Seeds.gaussians(new SplittableRandom(seed), rows * columns);
    double[][] matrix = new double[rows][columns];
    for (int i = 0; i < values.length; i++) {
      // As floats, so that what is rounded is what is measured against.
      matrix[i / columns][i % columns] = (float) (0.02 * values[i]);
    }
    return matrix;
  }

  private FloatMatrix floats(double[][] matrix) {
    FloatMatrix floats = FloatMatrix.allocate(arena, matrix.length, matrix[0].length);
    for (int i = 0; i < matrix.length; i++) {
      for (int j = 0; j < matrix[0].length; j++) {
        floats.set(i, j, (float) matrix[i][j]);
      }
    }
    return floats;
  }
}

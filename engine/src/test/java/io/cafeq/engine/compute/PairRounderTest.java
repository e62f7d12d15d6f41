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
import io.cafeq.engine.rounding.PairFactor;
import io.cafeq.engine.rounding.PairHeads;
import io.cafeq.engine.rounding.PairRounder;
import io.cafeq.engine.rounding.RoundedPair;
import io.cafeq.engine.rounding.SlabTransforms;
import io.cafeq.engine.transform.BlockTransform;
import io.cafeq.engine.transform.Orthogonal;
import io.cafeq.engine.transform.Seeds;
import io.cafeq.engine.transform.SquareMatrices;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Rounding of pairs: the golden errors, and every error against the product of what the codes stand
 * for.
 */
class PairRounderTest {
  private static final GridSpec WHOLE_ROWS = new GridSpec(4, 0, ScaleStorage.F16_MINIMUM, 8, true);

  private final Arena arena = Arena.ofConfined();

  @AfterEach
  void close() {
    arena.close();
  }

  /**
   * f16 scales and minimums stand in for the doubles of Eq. (1), which moves some codes at the
   * edges.
   */
  @ParameterizedTest
  @CsvSource({
    "ALGORITHM_1, pair.alternating.errors, false",
    "NEAREST_PLANE, pair.nearest_plane.errors, true"
  })
  void theGoldenErrors(PairRounding method, String name, boolean clip) {
    try (Golden golden = Golden.open();
        ComputeLane lane = Backends.open("scalar").openLane()) {
      GridSpec grid = new GridSpec(4, 0, ScaleStorage.F16_MINIMUM, 8, clip);
      PairFactor left = PairFactor.of(golden.matrix(arena, "pair.v"), Side.OUTPUT, 16);
      PairFactor right = PairFactor.of(golden.matrix(arena, "pair.o"), Side.INPUT, 16);
      RoundedPair rounded =
          new PairRounder(
                  left, right, PairHeads.single(16), grid, grid, lane.encoder(), new StopFlag())
              .round(List.of(SquareMatrices.identity(16)), method, 3);
      double[] expected = golden.doubles(name);
      assertThat(rounded.relativeErrors()).hasSize(expected.length);
      for (int i = 0; i < expected.length; i++) {
        // A code that falls the other way changes all that follows: later half steps agree as two
        // runs do.
        double tolerance = i == 0 ? 0.005 : 0.04;
        assertThat(rounded.relativeErrors().get(i))
            .as(name + " " + i)
            .isCloseTo(expected[i], within(tolerance * expected[i]));
      }
    }
  }

  static Stream<Arguments> shapes() {
    return WorkingBackends.all()
        .flatMap(
            backend ->
                Stream.of(PairRounding.values())
                    .flatMap(
                        method ->
                            Stream.of(
                                Arguments.of(backend, method, Side.OUTPUT, Side.INPUT, 0, 0),
                                Arguments.of(backend, method, Side.OUTPUT, Side.INPUT, 25, 4),
                                Arguments.of(backend, method, Side.OUTPUT, Side.INPUT, 25, 12),
                                Arguments.of(backend, method, Side.INPUT, Side.INPUT, 8, 0),
                                Arguments.of(backend, method, Side.OUTPUT, Side.OUTPUT, 0, 15))));
  }

  /**
   * Two key-value heads, of which one has two query heads and the other one; slabs smaller than the
   * factors.
   */
  @ParameterizedTest
  @MethodSource("shapes")
  void theErrorIsThatOfTheProduct(
      String backend,
      PairRounding method,
      Side leftSide,
      Side rightSide,
      int leftGroup,
      int rightGroup) {
    Factors factors = factors(leftSide, rightSide, 8, List.of(0, 1, 1));
    GridSpec leftGrid = new GridSpec(4, leftGroup, ScaleStorage.ZERO_POINT, 8, true);
    GridSpec rightGrid = new GridSpec(4, rightGroup, ScaleStorage.SYMMETRIC, 8, true);
    RoundedPair rounded = round(backend, factors, leftGrid, rightGrid, method, 2);

    double[] measured = dense(backend, factors, leftGrid, rightGrid, rounded);
    assertThat(rounded.squaredError()).isCloseTo(measured[0], within(1e-9 * measured[1]));
    assertThat(rounded.squaredNorm()).isCloseTo(measured[1], within(1e-9 * measured[1]));
    assertThat(rounded.relativeError())
        .isEqualTo(rounded.relativeErrors().stream().mapToDouble(x -> x).min().orElseThrow());
    assertThat(rounded.relativeErrors()).hasSize(method == PairRounding.NEAREST ? 1 : 4);
    assertThat(round(backend, factors, leftGrid, rightGrid, method, 2).relativeErrors())
        .isEqualTo(rounded.relativeErrors());
  }

  @Test
  void adaptingHelpsAndBackendsAgree() {
    Factors factors = factors(Side.OUTPUT, Side.INPUT, 16, List.of(0, 0, 1));
    double[] scalar = new double[3];
    Stream.concat(Stream.of("scalar"), WorkingBackends.withoutReference())
        .forEach(
            backend -> {
              double none =
                  round(backend, factors, WHOLE_ROWS, WHOLE_ROWS, PairRounding.NEAREST, 0)
                      .relativeError();
              double paper =
                  round(backend, factors, WHOLE_ROWS, WHOLE_ROWS, PairRounding.ALGORITHM_1, 3)
                      .relativeError();
              double plane =
                  round(backend, factors, WHOLE_ROWS, WHOLE_ROWS, PairRounding.NEAREST_PLANE, 3)
                      .relativeError();
              assertThat(paper).isLessThan(none);
              assertThat(plane).isLessThan(paper);
              if (backend.equals("scalar")) {
                scalar[0] = none;
                scalar[1] = paper;
                scalar[2] = plane;
              }
              assertThat(none).isCloseTo(scalar[0], within(0.005 * none));
              assertThat(paper).isCloseTo(scalar[1], within(0.01 * paper));
              assertThat(plane).isCloseTo(scalar[2], within(0.01 * plane));
            });
  }

  @Test
  void deadHeadsAndTooFewPositionsDoNotFail() {
    WorkingBackends.all()
        .forEach(
            backend -> {
              for (PairRounding method : PairRounding.values()) {
                Factors factors = factors(Side.OUTPUT, Side.INPUT, 8, List.of(0, 1));
                factors.left().slice(0, 8).segment().fill((byte) 0);
                for (int row = 0; row < factors.right().rows(); row++) {
                  factors.right().set(row, 9, 0);
                }
                RoundedPair rounded = round(backend, factors, WHOLE_ROWS, WHOLE_ROWS, method, 2);
                assertThat(rounded.relativeError()).isFinite().isLessThan(0.2);

                Factors few =
                    new Factors(
                        weights(16, 5, 3),
                        Side.OUTPUT,
                        weights(200, 16, 4),
                        Side.INPUT,
                        new PairHeads(8, List.of(0, 1)));
                assertThat(round(backend, few, WHOLE_ROWS, WHOLE_ROWS, method, 2).relativeError())
                    .isFinite()
                    .isLessThan(0.3);

                Factors dead =
                    new Factors(
                        FloatMatrix.allocate(arena, 16, 40),
                        Side.OUTPUT,
                        FloatMatrix.allocate(arena, 30, 16),
                        Side.INPUT,
                        new PairHeads(8, List.of(0, 1)));
                assertThat(round(backend, dead, WHOLE_ROWS, WHOLE_ROWS, method, 2).relativeError())
                    .isZero();
              }
            });
  }

  private record Factors(
      FloatMatrix left, Side leftSide, FloatMatrix right, Side rightSide, PairHeads heads) {}

  private Factors factors(Side leftSide, Side rightSide, int h, List<Integer> leftOfRight) {
    PairHeads heads = new PairHeads(h, leftOfRight);
    int leftChannels = h * heads.count();
    int rightChannels = h * leftOfRight.size();
    FloatMatrix left =
        leftSide == Side.OUTPUT ? weights(leftChannels, 200, 1) : weights(200, leftChannels, 1);
    FloatMatrix right =
        rightSide == Side.INPUT ? weights(150, rightChannels, 2) : weights(rightChannels, 150, 2);
    return new Factors(left, leftSide, right, rightSide, heads);
  }

  private RoundedPair round(
      String backend,
      Factors factors,
      GridSpec leftGrid,
      GridSpec rightGrid,
      PairRounding method,
      int iterations) {
    int h = factors.heads().size();
    List<double[]> ms =
        IntStream.range(0, factors.heads().count())
            .mapToObj(i -> Orthogonal.rotation(h, i))
            .toList();
    try (ComputeLane lane = Backends.open(backend).openLane()) {
      return new PairRounder(
              slabs(factors.left(), factors.leftSide(), h),
              slabs(factors.right(), factors.rightSide(), h),
              factors.heads(),
              leftGrid,
              rightGrid,
              lane.encoder(),
              new StopFlag())
          .round(ms, method, iterations);
    }
  }

  private static PairFactor slabs(FloatMatrix matrix, Side side, int h) {
    return new PairFactor.InMemory(
        matrix, side, side == Side.OUTPUT ? h : Math.min(64, matrix.rows()));
  }

  /** Squared error and norm of the products, from codes that are made again. */
  private double[] dense(
      String backend, Factors factors, GridSpec leftGrid, GridSpec rightGrid, RoundedPair rounded) {
    int h = factors.heads().size();
    double[][] left = channels(factors.left(), factors.leftSide());
    double[][] right = channels(factors.right(), factors.rightSide());
    double[][] leftRounded =
        channels(
            again(backend, factors.left(), factors.leftSide(), leftGrid, rounded.left(), rounded),
            factors.leftSide());
    double[][] rightRounded =
        channels(
            again(
                backend, factors.right(), factors.rightSide(), rightGrid, rounded.right(), rounded),
            factors.rightSide());
    double[] sums = new double[2];
    for (int head = 0; head < factors.heads().leftOfRight().size(); head++) {
      int l = factors.heads().leftOfRight().get(head) * h;
      int r = head * h;
      for (int i = 0; i < right[0].length; i++) {
        for (int c = 0; c < left[0].length; c++) {
          double product = 0;
          double quantized = 0;
          for (int j = 0; j < h; j++) {
            product += right[r + j][i] * left[l + j][c];
            quantized += rightRounded[r + j][i] * leftRounded[l + j][c];
          }
          sums[0] += (quantized - product) * (quantized - product);
          sums[1] += product * product;
        }
      }
    }
    return sums;
  }

  private FloatMatrix again(
      String backend,
      FloatMatrix weights,
      Side side,
      GridSpec grid,
      List<BlockTransform> blocks,
      RoundedPair rounded) {
    try (ComputeLane lane = Backends.open(backend).openLane()) {
      SlabBuffers buffers = new SlabBuffers(arena, grid, weights.rows(), weights.columns());
      EncodedSlab slab =
          lane.encoder()
              .encode(
                  weights,
                  grid,
                  new SlabTransforms.Blocks(side, blocks),
                  InputMetric.NONE,
                  rounded.rounding(),
                  buffers);
      FloatMatrix decoded = FloatMatrix.allocate(arena, weights.rows(), weights.columns());
      GridValues values = new GridValues(slab);
      float[] row = new float[weights.columns()];
      for (int i = 0; i < weights.rows(); i++) {
        values.read(i, 0, row.length, row);
        for (int c = 0; c < row.length; c++) {
          decoded.set(i, c, row[c]);
        }
      }
      return decoded;
    }
  }

  private static double[][] channels(FloatMatrix matrix, Side side) {
    int channels = side == Side.OUTPUT ? matrix.rows() : matrix.columns();
    int positions = side == Side.OUTPUT ? matrix.columns() : matrix.rows();
    double[][] all = new double[channels][positions];
    for (int c = 0; c < channels; c++) {
      for (int i = 0; i < positions; i++) {
        all[c][i] = side == Side.OUTPUT ? matrix.get(c, i) : matrix.get(i, c);
      }
    }
    return all;
  }

  private FloatMatrix weights(int rows, int columns, long seed) {
    double[] values = Seeds.gaussians(new SplittableRandom(seed), rows * columns);
    for (int i = 0; i < values.length; i++) {
      values[i] *= 0.02;
    }
    return Golden.matrix(arena, values, rows, columns);
  }
}

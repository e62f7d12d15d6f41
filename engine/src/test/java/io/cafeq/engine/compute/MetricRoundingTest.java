package io.cafeq.engine.compute;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.cafeq.config.ScaleStorage;
import io.cafeq.config.Side;
import io.cafeq.engine.block.SlabDecoder;
import io.cafeq.engine.grid.EncodedSlab;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.grid.GridValues;
import io.cafeq.engine.grid.Packing;
import io.cafeq.engine.grid.SlabBuffers;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.rounding.InputMetric;
import io.cafeq.engine.rounding.RoundingErrors;
import io.cafeq.engine.rounding.RoundingRule;
import io.cafeq.engine.rounding.SlabTransforms;
import io.cafeq.engine.statistics.InputMoments;
import io.cafeq.engine.transform.BlockTransform;
import io.cafeq.engine.transform.Seeds;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Rounding in the metric of the inputs: what is measured is what the decoded weights do, every
 * backend rounds as the reference does, and correlated inputs gain by it.
 */
@Numerics
class MetricRoundingTest {
  private final Arena arena = Arena.ofConfined();

  @AfterEach
  void close() {
    arena.close();
  }

  /** What is rounded how, in which metric. */
  private record Case(
      FloatMatrix weights,
      GridSpec grid,
      SlabTransforms transforms,
      double[][] h,
      InputMetric metric) {}

  static Stream<Arguments> cases() {
    return WorkingBackends.all()
        .flatMap(
            backend ->
                Stream.of(
                        "none",
                        "none whole rows",
                        "none in blocks",
                        "input skewed",
                        "input hadamard",
                        "input in blocks",
                        "output skewed",
                        "output hadamard",
                        "output tail",
                        "output symmetric")
                    .map(name -> Arguments.of(backend, name)));
  }

  private Case make(String name, ComputeLane lane) {
    boolean output = name.startsWith("output");
    int columns = output ? 192 : 320;
    FloatMatrix weights = output ? weights(80, columns, 5) : weights(90, columns, 6);
    List<Integer> sizes =
        name.endsWith("blocks") ? List.of(columns / 2 - 8, columns / 2 + 8) : List.of(columns);
    InputMoments moments = SampleMoments.of(arena, sizes, 400, 7);
    InputMetric ofWeights = InputMetric.of(moments, 0.01, lane.products(), arena);
    double[][] h = SampleMoments.dense(moments, 0.01 * SampleMoments.mean(moments));
    ScaleStorage storage =
        name.endsWith("symmetric") ? ScaleStorage.SYMMETRIC : ScaleStorage.OFFSET;
    GridSpec grid = new GridSpec(3, name.endsWith("rows") ? 0 : 32, storage, 8, true);
    if (name.startsWith("none")) {
      return new Case(weights, grid, new SlabTransforms.None(), h, ofWeights);
    }
    String kind = name.endsWith("hadamard") ? "hadamard" : "skewed";
    Side side = output ? Side.OUTPUT : Side.INPUT;
    List<BlockTransform> blocks = new ArrayList<>();
    int channels = output ? weights.rows() : columns;
    int k = name.endsWith("tail") ? 32 : 16;
    for (int first = 0; first < channels; first += k) {
      blocks.add(InputMetricTest.block(side, kind, first, Math.min(k, channels - first)));
    }
    InputMetric metric = output ? ofWeights : ofWeights.under(blocks, lane.products(), arena);
    return new Case(weights, grid, new SlabTransforms.Blocks(side, blocks), h, metric);
  }

  private record Encoded(EncodedSlab slab, double[][] deviations) {}

  private Encoded encode(Case one, RoundingRule rule, ComputeLane lane) {
    FloatMatrix weights = one.weights();
    SlabBuffers buffers = new SlabBuffers(arena, one.grid(), weights.rows(), weights.columns());
    EncodedSlab slab =
        lane.encoder().encode(weights, one.grid(), one.transforms(), one.metric(), rule, buffers);
    FloatMatrix decoded = FloatMatrix.allocate(arena, weights.rows(), weights.columns());
    switch (one.transforms()) {
      case SlabTransforms.None none -> new SlabDecoder().decode(slab, 0, null, 0, decoded);
      case SlabTransforms.Blocks blocks ->
          new SlabDecoder()
              .decode(
                  slab,
                  0,
                  SlabDecoder.Blocks.of(
                      blocks.blocks().stream().map(b -> b.stored().orElseThrow()).toList()),
                  0,
                  decoded);
    }
    double[][] deviations = new double[weights.rows()][weights.columns()];
    for (int i = 0; i < weights.rows(); i++) {
      for (int c = 0; c < weights.columns(); c++) {
        deviations[i][c] = (double) decoded.get(i, c) - weights.get(i, c);
      }
    }
    return new Encoded(slab, deviations);
  }

  private static double output(double[][] rows, double[][] h) {
    double sum = 0;
    for (double[] row : rows) {
      for (int i = 0; i < h.length; i++) {
        double product = 0;
        for (int j = 0; j < h.length; j++) {
          product += h[i][j] * row[j];
        }
        sum += row[i] * product;
      }
    }
    return sum;
  }

  private static double squares(double[][] rows) {
    double sum = 0;
    for (double[] row : rows) {
      for (double x : row) {
        sum += x * x;
      }
    }
    return sum;
  }

  @ParameterizedTest
  @MethodSource("cases")
  void errorsAreThoseOfTheDecodedWeights(String backend, String name) {
    try (ComputeLane lane = Backends.open(backend).openLane()) {
      Case one = make(name, lane);
      for (RoundingRule rule :
          List.of(
              new RoundingRule.Nearest(),
              new RoundingRule.NearestPlane(),
              new RoundingRule.Stochastic(3, 0))) {
        Encoded encoded = encode(one, rule, lane);
        double squared = squares(encoded.deviations());
        assertThat(encoded.slab().squaredError()).isCloseTo(squared, within(1e-3 * squared));
        // between blocks of moments that a block of the transform joins something is left out
        double tolerance = name.equals("input in blocks") ? 0.2 : 1e-3;
        double output = output(encoded.deviations(), one.h());
        assertThat(encoded.slab().outputError())
            .as(rule.toString())
            .isCloseTo(output, within(tolerance * output));
        double norm = output(doubles(one.weights()), one.h());
        assertThat(encoded.slab().outputNorm()).isCloseTo(norm, within(tolerance * norm));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void nearestPlaneGains(String backend, String name) {
    try (ComputeLane lane = Backends.open(backend).openLane()) {
      Case one = make(name, lane);
      double nearest = encode(one, new RoundingRule.Nearest(), lane).slab().outputError();
      double plane = encode(one, new RoundingRule.NearestPlane(), lane).slab().outputError();
      assertThat(plane).isLessThan(0.6 * nearest);
    }
  }

  /** From one code at a boundary on, rows go their own ways: the errors must agree. */
  @ParameterizedTest
  @MethodSource("cases")
  void theReferenceRoundsAlike(String backend, String name) {
    try (ComputeLane lane = Backends.open(backend).openLane();
        ComputeLane reference = Backends.open("scalar").openLane()) {
      Case one = make(name, lane);
      Encoded actual = encode(one, new RoundingRule.NearestPlane(), lane);
      Encoded expected = encode(one, new RoundingRule.NearestPlane(), reference);
      assertThat(Math.sqrt(actual.slab().outputError()))
          .isCloseTo(
              Math.sqrt(expected.slab().outputError()),
              within(0.005 * Math.sqrt(expected.slab().outputError())));
      assertThat(Math.sqrt(actual.slab().squaredError()))
          .isCloseTo(
              Math.sqrt(expected.slab().squaredError()),
              within(0.005 * Math.sqrt(expected.slab().squaredError())));
      assertThat(actual.slab().outputNorm())
          .isCloseTo(expected.slab().outputNorm(), within(1e-4 * expected.slab().outputNorm()));
    }
  }

  /**
   * Each code is the nearest to its target, made in doubles from the codes that were chosen before
   * it.
   */
  @ParameterizedTest
  @MethodSource("cases")
  void everyCodeIsTheNearestToItsTarget(String backend, String name) {
    try (ComputeLane lane = Backends.open(backend).openLane()) {
      Case one = make(name, lane);
      EncodedSlab slab = encode(one, new RoundingRule.NearestPlane(), lane).slab();
      double[][] rounded = values(slab);
      double[][] lowest = values(constant(slab, 0));
      double[][] next = values(constant(slab, 1));
      double[][] v = transformed(one);
      int rows = v.length;
      double[][] t = triangle(one, rows);
      for (InputMetric.Block block : one.metric().blocks()) {
        double[][] mixed = new double[rows][block.size()];
        for (int c = block.size() - 1; c >= 0; c--) {
          int channel = block.channels()[c];
          for (int row = rows - 1; row >= 0; row--) {
            double above = 0;
            for (int i = row + 1; i < rows; i++) {
              above += t[row][i] / t[row][row] * (rounded[i][channel] - v[i][channel]);
            }
            double taken = above;
            for (int d = c + 1; d < block.size(); d++) {
              taken += block.upper().get(c, d) * mixed[row][d];
            }
            mixed[row][c] = rounded[row][channel] - v[row][channel] + above;
            double step = next[row][channel] - lowest[row][channel];
            double code = (rounded[row][channel] - lowest[row][channel]) / step;
            double wanted =
                Math.clamp(
                    (v[row][channel] - taken - lowest[row][channel]) / step, 0, one.grid().top());
            assertThat(Math.abs(code - wanted)).isLessThan(0.5 + 1e-4);
          }
        }
      }
    }
  }

  private static double[][] values(EncodedSlab slab) {
    GridValues values = new GridValues(slab);
    float[] row = new float[slab.columns()];
    double[][] all = new double[slab.rows()][slab.columns()];
    for (int i = 0; i < all.length; i++) {
      values.read(i, 0, row.length, row);
      for (int c = 0; c < row.length; c++) {
        all[i][c] = row[c];
      }
    }
    return all;
  }

  /** The same grids under one code everywhere. */
  private EncodedSlab constant(EncodedSlab slab, int code) {
    byte[] row = new byte[slab.columns() + 8];
    Arrays.fill(row, (byte) code);
    MemorySegment codes = arena.allocate(slab.codes().byteSize());
    long bytes = EncodedSlab.codeBytes(slab.grid(), slab.columns());
    for (int i = 0; i < slab.rows(); i++) {
      Packing.pack(row, 0, slab.columns(), slab.grid().bits(), codes, i * bytes);
    }
    return new EncodedSlab(
        slab.grid(),
        slab.rows(),
        slab.columns(),
        codes,
        slab.rowScales(),
        slab.scales(),
        slab.zeros(),
        0,
        0);
  }

  private static double[][] transformed(Case one) {
    double[][] v = doubles(one.weights());
    if (one.transforms() instanceof SlabTransforms.Blocks(Side side, List<BlockTransform> blocks)) {
      double[][] w = doubles(one.weights());
      for (BlockTransform block : blocks) {
        int k = block.k();
        double[] m = block.exactForward();
        for (int row = 0; row < (side == Side.INPUT ? w.length : k); row++) {
          for (int c = 0; c < (side == Side.INPUT ? k : w[0].length); c++) {
            double sum = 0;
            for (int i = 0; i < k; i++) {
              sum +=
                  side == Side.INPUT
                      ? m[c * k + i] * w[row][block.firstChannel() + i]
                      : m[row * k + i] * w[block.firstChannel() + i][c];
            }
            v[side == Side.INPUT ? row : block.firstChannel() + row][
                    side == Side.INPUT ? block.firstChannel() + c : c] =
                sum;
          }
        }
      }
    }
    return v;
  }

  private static double[][] triangle(Case one, int rows) {
    double[][] t = new double[rows][rows];
    for (int i = 0; i < rows; i++) {
      t[i][i] = 1;
    }
    if (one.transforms() instanceof SlabTransforms.Blocks(Side side, List<BlockTransform> blocks)
        && side == Side.OUTPUT) {
      for (BlockTransform block : blocks) {
        double[] own = block.exactTriangle();
        for (int i = 0; i < block.k(); i++) {
          for (int j = i; j < block.k(); j++) {
            t[block.firstChannel() + i][block.firstChannel() + j] = own[i * block.k() + j];
          }
        }
      }
    }
    return t;
  }

  @ParameterizedTest
  @MethodSource("io.cafeq.engine.compute.WorkingBackends#all")
  void withoutCorrelationsPlainCodesAreTheNearest(String backend) {
    try (ComputeLane lane = Backends.open(backend).openLane()) {
      FloatMatrix weights = weights(600, 160, 8);
      GridSpec grid = new GridSpec(3, 32, ScaleStorage.ZERO_POINT, 8, true);
      InputMetric metric =
          InputMetric.of(SampleMoments.identity(arena, 160, 2.5f), 0.01, lane.products(), arena);
      SlabTransforms none = new SlabTransforms.None();
      Encoded inMetric =
          encode(
              new Case(weights, grid, none, new double[0][0], metric),
              new RoundingRule.NearestPlane(),
              lane);
      byte[] codes = inMetric.slab().codes().toArray(ValueLayout.JAVA_BYTE);
      byte[] scales = inMetric.slab().scales().toArray(ValueLayout.JAVA_BYTE);
      EncodedSlab plain =
          encode(
                  new Case(weights, grid, none, new double[0][0], InputMetric.NONE),
                  new RoundingRule.Nearest(),
                  lane)
              .slab();
      assertThat(codes).isEqualTo(plain.codes().toArray(ValueLayout.JAVA_BYTE));
      assertThat(scales).isEqualTo(plain.scales().toArray(ValueLayout.JAVA_BYTE));
      assertThat(inMetric.slab().squaredError())
          .isCloseTo(plain.squaredError(), within(1e-4 * plain.squaredError()));
      assertThat(inMetric.slab().outputError())
          .isCloseTo(2.525 * plain.squaredError(), within(1e-2 * plain.squaredError()));
      assertThat(plain.outputError()).isZero();
      assertThat(plain.outputNorm()).isZero();
    }
  }

  @ParameterizedTest
  @MethodSource("io.cafeq.engine.compute.WorkingBackends#all")
  void withoutCorrelationsTheOutputSideIsAsBefore(String backend) {
    try (ComputeLane lane = Backends.open(backend).openLane()) {
      FloatMatrix weights = weights(600, 96, 9);
      List<BlockTransform> blocks = new ArrayList<>();
      for (int first = 0; first < 600; first += 64) {
        blocks.add(InputMetricTest.block(Side.OUTPUT, "skewed", first, Math.min(64, 600 - first)));
      }
      SlabTransforms transforms = new SlabTransforms.Blocks(Side.OUTPUT, blocks);
      GridSpec grid = new GridSpec(3, 32, ScaleStorage.OFFSET, 8, true);
      InputMetric metric =
          InputMetric.of(SampleMoments.identity(arena, 96, 1), 0.01, lane.products(), arena);
      RoundingRule rule = new RoundingRule.NearestPlane();
      Encoded one =
          encode(new Case(weights, grid, transforms, new double[0][0], metric), rule, lane);
      byte[] codes = one.slab().codes().toArray(ValueLayout.JAVA_BYTE);
      Encoded other =
          encode(
              new Case(weights, grid, transforms, new double[0][0], InputMetric.NONE), rule, lane);
      byte[] before = other.slab().codes().toArray(ValueLayout.JAVA_BYTE);
      int different = 0;
      for (int i = 0; i < codes.length; i++) {
        different += codes[i] == before[i] ? 0 : 1;
      }
      assertThat(different).isLessThan(codes.length / 200);
      assertThat(one.slab().squaredError())
          .isCloseTo(other.slab().squaredError(), within(1e-3 * other.slab().squaredError()));
    }
  }

  @ParameterizedTest
  @MethodSource("io.cafeq.engine.compute.WorkingBackends#all")
  void plainErrorsAreMeasuredInTheMetric(String backend) {
    try (ComputeLane lane = Backends.open(backend).openLane()) {
      for (String name : List.of("none", "none whole rows", "none in blocks")) {
        Case one = make(name, lane);
        Encoded unweighted =
            encode(
                new Case(one.weights(), one.grid(), one.transforms(), one.h(), InputMetric.NONE),
                new RoundingRule.Nearest(),
                lane);
        RoundingErrors plain = lane.encoder().plainError(one.weights(), one.grid(), one.metric());
        double squared = unweighted.slab().squaredError();
        double output = output(unweighted.deviations(), one.h());
        assertThat(plain.squared()).isCloseTo(squared, within(1e-4 * squared));
        assertThat(plain.output()).isCloseTo(output, within(1e-3 * output));
        RoundingRule rule = new RoundingRule.NearestPlane();
        RoundingErrors plane =
            lane.encoder().metricError(one.weights(), one.grid(), one.metric(), rule);
        EncodedSlab slab = encode(one, rule, lane).slab();
        assertThat(plane).isEqualTo(new RoundingErrors(slab.squaredError(), slab.outputError()));
      }
    }
  }

  /** Clipping by the channels' energies helps nearest codes as well. */
  @ParameterizedTest
  @MethodSource("io.cafeq.engine.compute.WorkingBackends#all")
  void clippingKnowsWhichChannelsCount(String backend) {
    try (ComputeLane lane = Backends.open(backend).openLane()) {
      Case one = make("none", lane);
      double plain = lane.encoder().plainError(one.weights(), one.grid(), one.metric()).output();
      double weighted = encode(one, new RoundingRule.Nearest(), lane).slab().outputError();
      assertThat(weighted).isLessThan(0.95 * plain);
    }
  }

  @ParameterizedTest
  @MethodSource("io.cafeq.engine.compute.WorkingBackends#all")
  void zerosStayZeros(String backend) {
    try (ComputeLane lane = Backends.open(backend).openLane()) {
      for (ScaleStorage storage : ScaleStorage.values()) {
        for (float energy : new float[] {0, 1}) {
          FloatMatrix weights = FloatMatrix.allocate(arena, 32, 64);
          for (int c = 0; c < 32; c++) {
            weights.set(1, c, 0.25f);
          }
          InputMetric metric =
              InputMetric.of(
                  SampleMoments.identity(arena, 64, energy), 0.01, lane.products(), arena);
          List<BlockTransform> blocks =
              List.of(InputMetricTest.block(Side.OUTPUT, "skewed", 0, 32));
          for (SlabTransforms transforms :
              List.of(new SlabTransforms.None(), new SlabTransforms.Blocks(Side.OUTPUT, blocks))) {
            Encoded encoded =
                encode(
                    new Case(
                        weights,
                        new GridSpec(4, 16, storage, 8, true),
                        transforms,
                        new double[0][0],
                        metric),
                    new RoundingRule.NearestPlane(),
                    lane);
            assertThat(encoded.slab().squaredError()).isFinite();
            assertThat(encoded.slab().outputError()).isFinite();
            assertThat(encoded.slab().outputNorm()).isCloseTo(energy * 1.01 * 2, within(1e-4));
            for (double deviation : encoded.deviations()[0]) {
              assertThat(Math.abs(deviation)).isLessThan(0.05);
            }
          }
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("io.cafeq.engine.compute.WorkingBackends#all")
  void theSameBytesEachTime(String backend) {
    List<byte[]> codes = new ArrayList<>();
    for (int run = 0; run < 2; run++) {
      try (ComputeLane lane = Backends.open(backend).openLane()) {
        Case one = make("input skewed", lane);
        codes.add(
            encode(one, new RoundingRule.NearestPlane(), lane)
                .slab()
                .codes()
                .toArray(ValueLayout.JAVA_BYTE));
      }
    }
    assertThat(codes.get(0)).isEqualTo(codes.get(1));
  }

  private static double[][] doubles(FloatMatrix matrix) {
    double[][] rows = new double[matrix.rows()][matrix.columns()];
    for (int i = 0; i < matrix.rows(); i++) {
      for (int c = 0; c < matrix.columns(); c++) {
        rows[i][c] = matrix.get(i, c);
      }
    }
    return rows;
  }

  private FloatMatrix weights(int rows, int columns, long seed) {
    double[] values = Seeds.gaussians(new SplittableRandom(seed), rows * columns);
    for (int i = 0; i < values.length; i++) {
      values[i] *= 0.03;
    }
    return Golden.matrix(arena, values, rows, columns);
  }
}

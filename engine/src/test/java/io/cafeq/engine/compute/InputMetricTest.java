package io.cafeq.engine.compute;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.cafeq.config.Side;
import io.cafeq.config.TransformStorage;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.rounding.InputMetric;
import io.cafeq.engine.statistics.InputMoments;
import io.cafeq.engine.statistics.MomentBlocks;
import io.cafeq.engine.transform.BlockTransform;
import io.cafeq.engine.transform.Orthogonal;
import io.cafeq.engine.transform.Seeds;
import io.cafeq.engine.transform.SquareMatrices;
import io.cafeq.engine.transform.StoredTransforms;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Factors of second moments, of the inputs and of what a transform makes of them. */
@Numerics
class InputMetricTest {
  private final Arena arena = Arena.ofConfined();

  @AfterEach
  void close() {
    arena.close();
  }

  @ParameterizedTest
  @MethodSource("io.cafeq.engine.compute.WorkingBackends#all")
  void theFactorGivesTheDampedMoments(String backend) {
    InputMoments moments = SampleMoments.of(arena, List.of(300, 40, 5), 200, 1);
    try (ComputeLane lane = Backends.open(backend).openLane()) {
      InputMetric metric = InputMetric.of(moments, 0.01, lane.products(), arena);
      double[][] expected = SampleMoments.dense(moments, 0.01 * SampleMoments.mean(moments));
      assertSame(dense(metric), expected);
      assertThat(metric.channels()).isEqualTo(345);
      for (int c = 0; c < 345; c++) {
        assertThat(metric.diagonal()[c]).isCloseTo(expected[c][c], within(1e-6 * expected[c][c]));
      }
      float[] weights = metric.clippingWeights();
      double mean = 0;
      for (float weight : weights) {
        mean += weight / 345;
      }
      assertThat(mean).isCloseTo(1, within(1e-5));
      assertThat(weights[5] / weights[6])
          .isCloseTo((float) (expected[5][5] / expected[6][6]), within(1e-3f));
    }
  }

  @Test
  void whatCountsMostIsRoundedFirst() {
    InputMoments moments = SampleMoments.of(arena, List.of(60), 100, 2);
    try (ComputeLane lane = Backends.open("scalar").openLane()) {
      InputMetric metric = InputMetric.of(moments, 0.01, lane.products(), arena);
      int[] channels = metric.blocks().getFirst().channels();
      for (int place = 1; place < channels.length; place++) {
        assertThat(metric.diagonal()[channels[place]])
            .isGreaterThanOrEqualTo(metric.diagonal()[channels[place - 1]]);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("io.cafeq.engine.compute.WorkingBackends#all")
  void fewTokensWithoutDampingAreRaisedUntilThereIsAFactor(String backend) {
    InputMoments moments = SampleMoments.of(arena, List.of(200), 20, 3);
    try (ComputeLane lane = Backends.open(backend).openLane()) {
      InputMetric metric = InputMetric.of(moments, 0, lane.products(), arena);
      double mean = SampleMoments.mean(moments);
      double raised = metric.diagonal()[0] - moments.blocks().getFirst().moments().get(0, 0);
      assertThat(raised).isBetween(1e-7 * mean, 1e-3 * mean);
      assertSame(dense(metric), SampleMoments.dense(moments, raised));
    }
  }

  @ParameterizedTest
  @MethodSource("io.cafeq.engine.compute.WorkingBackends#all")
  void momentsOfZeroCountNothing(String backend) {
    InputMoments moments = SampleMoments.identity(arena, 24, 0);
    try (ComputeLane lane = Backends.open(backend).openLane()) {
      InputMetric metric = InputMetric.of(moments, 0.01, lane.products(), arena);
      assertThat(metric.isNone()).isFalse();
      assertThat(metric.blocks().getFirst().squares()).containsOnly(0);
      assertThat(metric.clippingWeights()).containsOnly(1);
      InputMetric under = metric.under(blocks(24, 16, "skewed"), lane.products(), arena);
      assertThat(under.blocks().getFirst().squares()).containsOnly(0);
      for (float weight : under.clippingWeights()) {
        assertThat(weight).isFinite();
      }
    }
  }

  static Stream<Arguments> transforms() {
    return WorkingBackends.all()
        .flatMap(
            backend ->
                Stream.of("skewed", "hadamard", "measured")
                    .flatMap(
                        kind ->
                            Stream.of(List.of(80), List.of(32, 48), List.of(40, 40), List.of(3, 77))
                                .map(sizes -> Arguments.of(backend, kind, sizes))));
  }

  /**
   * What two transformed channels have in common is lost only between blocks of moments that a
   * transform's block joins.
   */
  @ParameterizedTest
  @MethodSource("transforms")
  void theMetricOfTransformedChannels(String backend, String kind, List<Integer> sizes) {
    InputMoments moments = SampleMoments.of(arena, sizes, 150, 4);
    List<BlockTransform> blocks = blocks(80, 16, kind);
    try (ComputeLane lane = Backends.open(backend).openLane()) {
      InputMetric metric =
          InputMetric.of(moments, 0.01, lane.products(), arena)
              .under(blocks, lane.products(), arena);
      double[][] expected =
          transformed(SampleMoments.dense(moments, 0.01 * SampleMoments.mean(moments)), blocks);
      int[] groups = new int[80];
      for (int group = 0; group < metric.blocks().size(); group++) {
        for (int channel : metric.blocks().get(group).channels()) {
          groups[channel] = group;
        }
      }
      for (int i = 0; i < 80; i++) {
        for (int j = 0; j < 80; j++) {
          expected[i][j] = groups[i] == groups[j] ? expected[i][j] : 0;
        }
      }
      assertThat(metric.blocks()).hasSize(sizes.size());
      assertSame(dense(metric), expected);
      for (int c = 0; c < 80; c++) {
        assertThat(metric.diagonal()[c]).isCloseTo(expected[c][c], within(1e-5 * expected[c][c]));
      }
    }
  }

  /** What is promised holds the moments' largest block in doubles, however they are cut. */
  @Test
  void makingAFactorFitsItsPermit() {
    for (int channels : new int[] {96, 1000, 4096, 11008, 14336, 32768}) {
      for (int width : new int[] {64, 1000, 4096, 32768}) {
        MomentBlocks cut = MomentBlocks.of(channels, width);
        long largest = cut.spans().stream().mapToLong(MomentBlocks.Span::count).max().orElseThrow();
        long bytes = InputMetric.makingBytes(cut.squareBytes(), channels, 0);
        assertThat(bytes).isBetween(8 * largest * largest, 8 * (largest + 9) * (largest + 9));
        assertThat(InputMetric.factorBytes(cut.squareBytes(), channels, 0))
            .isEqualTo(cut.squareBytes());
      }
    }
  }

  @Test
  void aMapWithoutAnInverseLeavesAFactor() {
    InputMoments moments = SampleMoments.of(arena, List.of(16), 100, 5);
    BlockTransform dead =
        BlockTransform.of(0, 8, new double[64], SquareMatrices.identity(8)).orElseThrow();
    List<BlockTransform> blocks = List.of(dead, dead.at(8));
    try (ComputeLane lane = Backends.open("scalar").openLane()) {
      InputMetric metric =
          InputMetric.of(moments, 0.01, lane.products(), arena)
              .under(blocks, lane.products(), arena);
      for (double square : metric.blocks().getFirst().squares()) {
        assertThat(square).isFinite().isPositive();
      }
    }
  }

  static List<BlockTransform> blocks(int channels, int k, String kind) {
    List<BlockTransform> blocks = new ArrayList<>();
    for (int first = 0; first < channels; first += k) {
      int size = Math.min(k, channels - first);
      blocks.add(block(Side.INPUT, kind, first, size));
    }
    return blocks;
  }

  static BlockTransform block(Side side, String kind, int first, int k) {
    if (kind.equals("hadamard")) {
      return BlockTransform.of(StoredTransforms.hadamard(side, first, k, first + 7)).orElseThrow();
    }
    double[] p = Orthogonal.rotation(k, first + 3);
    double[] noise = Seeds.gaussians(new SplittableRandom(first + 4), k * k);
    for (int i = 0; i < p.length; i++) {
      p[i] += 0.1 * noise[i];
    }
    return kind.equals("measured")
        ? BlockTransform.of(
                first, k, SquareMatrices.invert(p, k), SquareMatrices.upperTriangular(p, k))
            .orElseThrow()
        : BlockTransform.of(StoredTransforms.store(side, first, k, p, TransformStorage.INT8))
            .orElseThrow();
  }

  /** P^T H P in doubles. */
  static double[][] transformed(double[][] h, List<BlockTransform> blocks) {
    int n = h.length;
    double[][] p = new double[n][n];
    for (BlockTransform block : blocks) {
      double[] inverse = SquareMatrices.invert(block.exactForward(), block.k());
      for (int i = 0; i < block.k(); i++) {
        for (int j = 0; j < block.k(); j++) {
          p[block.firstChannel() + i][block.firstChannel() + j] = inverse[i * block.k() + j];
        }
      }
    }
    double[][] right = new double[n][n];
    double[][] both = new double[n][n];
    for (int i = 0; i < n; i++) {
      for (int l = 0; l < n; l++) {
        for (int j = 0; j < n; j++) {
          right[i][j] += h[i][l] * p[l][j];
        }
      }
    }
    for (int i = 0; i < n; i++) {
      for (int l = 0; l < n; l++) {
        for (int j = 0; j < n; j++) {
          both[i][j] += p[l][i] * right[l][j];
        }
      }
    }
    return both;
  }

  /** U^T diag(squares) U in the order of the channels. */
  static double[][] dense(InputMetric metric) {
    double[][] h = new double[metric.channels()][metric.channels()];
    for (InputMetric.Block block : metric.blocks()) {
      FloatMatrix upper = block.upper();
      for (int c = 0; c < block.size(); c++) {
        for (int i = c; i < block.size(); i++) {
          for (int j = c; j < block.size(); j++) {
            h[block.channels()[i]][block.channels()[j]] +=
                block.squares()[c] * upper.get(c, i) * upper.get(c, j);
          }
        }
      }
    }
    return h;
  }

  private static void assertSame(double[][] actual, double[][] expected) {
    double largest =
        Arrays.stream(expected).flatMapToDouble(Arrays::stream).map(Math::abs).max().orElseThrow();
    for (int i = 0; i < expected.length; i++) {
      for (int j = 0; j < expected.length; j++) {
        assertThat(actual[i][j]).isCloseTo(expected[i][j], within(2e-6 * largest));
      }
    }
  }
}

package io.cafeq.engine.compute;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.cafeq.config.ScaleStorage;
import io.cafeq.config.Side;
import io.cafeq.config.TransformStorage;
import io.cafeq.engine.grid.EncodedSlab;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.grid.SlabBuffers;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.rounding.InputMetric;
import io.cafeq.engine.rounding.RoundingRule;
import io.cafeq.engine.rounding.SlabTransforms;
import io.cafeq.engine.transform.BlockTransform;
import io.cafeq.engine.transform.Orthogonal;
import io.cafeq.engine.transform.Seeds;
import io.cafeq.engine.transform.StoredTransforms;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Stochastic rounding: without bias, about sqrt(2) of nearest rounding's error, the same draws
 * everywhere.
 */
class StochasticRoundingTest {
  private static final SlabTransforms PLAIN = new SlabTransforms.None();

  private final Arena arena = Arena.ofConfined();

  @AfterEach
  void close() {
    arena.close();
  }

  @ParameterizedTest
  @MethodSource("io.cafeq.engine.compute.WorkingBackends#all")
  void theErrorIsRootTwoOfThatOfNearestRounding(String backend) {
    FloatMatrix weights = weights(40, 600);
    GridSpec grid = grid(8, 100);
    double nearest =
        encode(backend, weights, grid, PLAIN, new RoundingRule.Nearest()).squaredError();
    double drawn =
        encode(backend, weights, grid, PLAIN, new RoundingRule.Stochastic(1, 0)).squaredError();

    assertThat(Math.sqrt(drawn / nearest)).isCloseTo(Math.sqrt(2), within(0.03));
  }

  @ParameterizedTest
  @MethodSource("io.cafeq.engine.compute.WorkingBackends#all")
  void theMeanOverSeedsIsTheWeightItself(String backend) {
    FloatMatrix weights = weights(2, 64);
    GridSpec grid = grid(3, 64);
    int seeds = 2000;
    double[] sums = new double[128];
    double[] nearestCodes = new double[128];
    for (int seed = 0; seed < seeds; seed++) {
      byte[] codes =
          codes(
              backend,
              weights,
              grid,
              new RoundingRule.Stochastic(Seeds.of(seed, "w", 0, "test"), 0));
      for (int i = 0; i < codes.length; i++) {
        sums[i] += codes[i];
      }
    }
    byte[] nearest = codes(backend, weights, grid, new RoundingRule.Nearest());
    // The ends of an Eq. (1) grid are its entries' own, so that step and zero follow from them.
    double largestBias = 0;
    double largestNearestBias = 0;
    for (int row = 0; row < 2; row++) {
      double low = Double.POSITIVE_INFINITY;
      double high = Double.NEGATIVE_INFINITY;
      for (int c = 0; c < 64; c++) {
        low = Math.min(low, weights.get(row, c));
        high = Math.max(high, weights.get(row, c));
      }
      for (int c = 0; c < 64; c++) {
        int i = row * 64 + c;
        double exact = (weights.get(row, c) - low) / (high - low) * 7;
        nearestCodes[i] = nearest[i];
        largestBias = Math.max(largestBias, Math.abs(sums[i] / seeds - exact));
        largestNearestBias = Math.max(largestNearestBias, Math.abs(nearestCodes[i] - exact));
      }
    }
    // Five standard deviations of a mean of coin tosses, and what f16 scales and minimums do.
    assertThat(largestBias).isLessThan(5 * 0.5 / Math.sqrt(seeds) + 0.01);
    assertThat(largestNearestBias).isGreaterThan(0.4);
  }

  @ParameterizedTest
  @MethodSource("io.cafeq.engine.compute.WorkingBackends#all")
  void whatLiesOnALevelStays(String backend) {
    FloatMatrix weights = FloatMatrix.allocate(arena, 1, 256);
    for (int c = 0; c < 256; c++) {
      weights.set(0, c, c - 128);
    }
    for (int seed = 0; seed < 50; seed++) {
      Encoded encoded =
          encode(backend, weights, grid(8, 0), PLAIN, new RoundingRule.Stochastic(seed, 0));
      assertThat(encoded.squaredError()).isLessThan(1e-6);
    }
  }

  @ParameterizedTest
  @MethodSource("io.cafeq.engine.compute.WorkingBackends#all")
  void slabsOfAnySizeDrawTheSame(String backend) {
    FloatMatrix weights = weights(48, 600);
    GridSpec grid = grid(4, 100);
    SlabTransforms input = new SlabTransforms.Blocks(Side.INPUT, blocks(Side.INPUT, 600));
    for (SlabTransforms transforms : List.of(PLAIN, input)) {
      byte[] whole =
          encode(backend, weights, grid, transforms, new RoundingRule.Stochastic(5, 0)).codes();
      byte[] parts = new byte[whole.length];
      for (int first = 0; first < 48; first += 16) {
        byte[] part =
            encode(
                    backend,
                    weights.slice(first, 16),
                    grid,
                    transforms,
                    new RoundingRule.Stochastic(5, first))
                .codes();
        System.arraycopy(part, 0, parts, first * part.length / 16, part.length);
      }
      assertThat(parts).isEqualTo(whole);
    }
    List<BlockTransform> rows = blocks(Side.OUTPUT, 48);
    byte[] whole =
        encode(
                backend,
                weights,
                grid,
                new SlabTransforms.Blocks(Side.OUTPUT, rows),
                new RoundingRule.Stochastic(5, 0))
            .codes();
    byte[] second =
        encode(
                backend,
                weights.slice(16, 16),
                grid,
                new SlabTransforms.Blocks(Side.OUTPUT, rows.subList(1, 2)),
                new RoundingRule.Stochastic(5, 16))
            .codes();
    assertThat(second).isEqualTo(Arrays.copyOfRange(whole, second.length, 2 * second.length));
  }

  @Test
  void allBackendsDrawTheSame() {
    FloatMatrix weights = weights(48, 600);
    for (ScaleStorage storage : ScaleStorage.values()) {
      GridSpec grid = new GridSpec(4, 100, storage, 8, true);
      for (SlabTransforms transforms :
          List.of(
              PLAIN,
              new SlabTransforms.Blocks(Side.INPUT, blocks(Side.INPUT, 600)),
              new SlabTransforms.Blocks(Side.OUTPUT, blocks(Side.OUTPUT, 48)))) {
        List<Encoded> all =
            WorkingBackends.all()
                .map(
                    backend ->
                        encode(
                            backend, weights, grid, transforms, new RoundingRule.Stochastic(9, 3)))
                .toList();
        for (Encoded one : all) {
          assertThat(one.differences(all.getFirst()))
              .as("%s %s", storage, transforms)
              .isLessThan(0.002);
          assertThat(one.squaredError())
              .isCloseTo(
                  all.getFirst().squaredError(), within(1e-3 * all.getFirst().squaredError()));
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("io.cafeq.engine.compute.WorkingBackends#all")
  void anotherSeedDrawsOtherCodes(String backend) {
    FloatMatrix weights = weights(48, 600);
    Encoded one = drawn(backend, weights, 1, 0);

    assertThat(drawn(backend, weights, 1, 0).differences(one)).isZero();
    assertThat(drawn(backend, weights, 2, 0).differences(one)).isGreaterThan(0.3);
    assertThat(drawn(backend, weights, 1, 1).differences(one)).isGreaterThan(0.3);
  }

  private Encoded drawn(String backend, FloatMatrix weights, long seed, long firstRow) {
    return encode(
        backend, weights, grid(4, 100), PLAIN, new RoundingRule.Stochastic(seed, firstRow));
  }

  private record Encoded(byte[] codes, double squaredError) {
    /** Share of bytes of codes that differ. */
    double differences(Encoded other) {
      int count = 0;
      for (int i = 0; i < codes.length; i++) {
        count += codes[i] == other.codes[i] ? 0 : 1;
      }
      return (double) count / codes.length;
    }
  }

  private static GridSpec grid(int bits, int group) {
    return new GridSpec(bits, group, ScaleStorage.F16_MINIMUM, 8, false);
  }

  private Encoded encode(
      String backend,
      FloatMatrix weights,
      GridSpec grid,
      SlabTransforms transforms,
      RoundingRule rule) {
    try (Arena room = Arena.ofConfined();
        ComputeLane lane = Backends.open(backend).openLane()) {
      SlabBuffers buffers = new SlabBuffers(room, grid, weights.rows(), weights.columns());
      EncodedSlab slab =
          lane.encoder().encode(weights, grid, transforms, InputMetric.NONE, rule, buffers);
      return new Encoded(slab.codes().toArray(ValueLayout.JAVA_BYTE), slab.squaredError());
    }
  }

  /** One a byte. */
  private byte[] codes(String backend, FloatMatrix weights, GridSpec grid, RoundingRule rule) {
    byte[] packed = encode(backend, weights, grid, PLAIN, rule).codes();
    byte[] codes = new byte[(int) weights.elements()];
    int rowBytes = packed.length / weights.rows();
    for (int i = 0; i < codes.length; i++) {
      int row = i / weights.columns();
      for (int bit = 0; bit < grid.bits(); bit++) {
        int at = i % weights.columns() * grid.bits() + bit;
        codes[i] |= (byte) ((packed[row * rowBytes + at / 8] >> (at % 8) & 1) << bit);
      }
    }
    return codes;
  }

  private static List<BlockTransform> blocks(Side side, int channels) {
    List<BlockTransform> blocks = new ArrayList<>();
    for (int first = 0; first < channels; ) {
      int k = Math.min(16, channels - first);
      double[] p = Orthogonal.rotation(k, first);
      double[] noise = Seeds.gaussians(new SplittableRandom(first), k * k);
      for (int i = 0; i < p.length; i++) {
        p[i] += 0.1 * noise[i];
      }
      blocks.add(
          BlockTransform.of(StoredTransforms.store(side, first, k, p, TransformStorage.BF16))
              .orElseThrow());
      first += k;
    }
    return blocks;
  }

  private FloatMatrix weights(int rows, int columns) {
    double[] values = Seeds.gaussians(new SplittableRandom(61), rows * columns);
    return Golden.matrix(arena, values, rows, columns);
  }
}

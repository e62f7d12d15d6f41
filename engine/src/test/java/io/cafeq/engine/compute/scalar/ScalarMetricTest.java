package io.cafeq.engine.compute.scalar;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.cafeq.config.ScaleStorage;
import io.cafeq.config.Side;
import io.cafeq.engine.compute.SampleMoments;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.memory.DoubleMatrix;
import io.cafeq.engine.rounding.InputMetric;
import io.cafeq.engine.rounding.RoundingErrors;
import io.cafeq.engine.rounding.RoundingRule;
import io.cafeq.engine.rounding.SlabTransforms;
import io.cafeq.engine.statistics.InputMoments;
import io.cafeq.engine.transform.BlockTransform;
import io.cafeq.engine.transform.Orthogonal;
import io.cafeq.engine.transform.Seeds;
import io.cafeq.engine.transform.SquareMatrices;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The reference against Babai's nearest plane on the whole metric written out: H x T^T T over all
 * entries of a block.
 */
class ScalarMetricTest {
  private static final int COLUMNS = 12;

  @ParameterizedTest
  @ValueSource(ints = {1, 4, 7})
  void nearestPlaneOfTheKroneckerProduct(int k) {
    try (Arena arena = Arena.ofConfined()) {
      for (long seed = 0; seed < 10; seed++) {
        InputMoments moments = SampleMoments.of(arena, List.of(COLUMNS), 60, seed);
        InputMetric metric = InputMetric.of(moments, 0.01, new ScalarProducts(), arena);
        double[][] h = SampleMoments.dense(moments, 0.01 * SampleMoments.mean(moments));
        BlockTransform block = block(k, seed);
        double[][] values = values(k, seed);
        GridSpec grid = new GridSpec(3, 4, ScaleStorage.OFFSET, 8, true);
        ScalarGrid[][] grids = new ScalarGrid[k][];
        for (int row = 0; row < k; row++) {
          grids[row] = ScalarGrid.choose(values[row], grid, metric.clippingWeights());
        }
        DoubleMatrix rounded = DoubleMatrix.allocate(arena, k, COLUMNS);
        for (int row = 0; row < k; row++) {
          rounded.write(row, 0, values[row], COLUMNS);
        }
        MemorySegment codes = arena.allocate((long) k * COLUMNS);
        ScalarSlab slab = new ScalarSlab(rounded, codes, grids, grid);
        RoundingErrors errors =
            new ScalarMetric(slab, new RoundingRule.NearestPlane())
                .round(new SlabTransforms.Blocks(Side.OUTPUT, List.of(block)), metric);

        int[] channels = metric.blocks().getFirst().channels();
        double[] whole = kronecker(h, channels, block.exactTriangle(), k);
        double[][] expected = new double[k][COLUMNS];
        double error = babai(whole, values, channels, grids, expected);
        for (int row = 0; row < k; row++) {
          for (int c = 0; c < COLUMNS; c++) {
            assertThat((double) (codes.get(ValueLayout.JAVA_BYTE, (long) row * COLUMNS + c) & 0xFF))
                .isEqualTo(expected[row][c]);
          }
        }
        assertThat(errors.output()).isCloseTo(error, within(1e-5 * error));
      }
    }
  }

  /** Entry (c k + i, d k + j) = H of the channels at places c and d, times (T^T T)_ij. */
  private static double[] kronecker(double[][] h, int[] channels, double[] t, int k) {
    double[] rows = SquareMatrices.multiply(SquareMatrices.transpose(t, k), t, k);
    int n = COLUMNS * k;
    double[] whole = new double[n * n];
    for (int c = 0; c < COLUMNS; c++) {
      for (int d = 0; d < COLUMNS; d++) {
        for (int i = 0; i < k; i++) {
          for (int j = 0; j < k; j++) {
            whole[(c * k + i) * n + d * k + j] = h[channels[c]][channels[d]] * rows[i * k + j];
          }
        }
      }
    }
    return whole;
  }

  /** Rounds the entries from the last to the first; returns the error in the metric. */
  private static double babai(
      double[] whole, double[][] values, int[] channels, ScalarGrid[][] grids, double[][] levels) {
    int k = values.length;
    int n = COLUMNS * k;
    double[] r = SquareMatrices.choleskyFactor(whole, n);
    double[] deviation = new double[n];
    for (int at = n - 1; at >= 0; at--) {
      double carried = 0;
      for (int later = at + 1; later < n; later++) {
        carried += r[at * n + later] * deviation[later];
      }
      int row = at % k;
      int channel = channels[at / k];
      ScalarGrid group = grids[row][channel / 4];
      levels[row][channel] = group.level(values[row][channel] - carried / r[at * n + at]);
      deviation[at] = group.value(levels[row][channel]) - values[row][channel];
    }
    return SquareMatrices.form(deviation, whole, deviation);
  }

  private static BlockTransform block(int k, long seed) {
    double[] p = Orthogonal.rotation(k, seed);
    double[] noise = Seeds.gaussians(new SplittableRandom(seed + 50), k * k);
    for (int i = 0; i < p.length; i++) {
      p[i] += 0.2 * noise[i];
    }
    return BlockTransform.of(
            0, k, SquareMatrices.invert(p, k), SquareMatrices.upperTriangular(p, k))
        .orElseThrow();
  }

  private static double[][] values(int rows, long seed) {
    double[] drawn = Seeds.gaussians(new SplittableRandom(seed + 100), rows * COLUMNS);
    double[][] values = new double[rows][COLUMNS];
    for (int i = 0; i < drawn.length; i++) {
      values[i / COLUMNS][i % COLUMNS] = drawn[i];
    }
    return values;
  }
}

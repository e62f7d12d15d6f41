package io.cafeq.engine.compute;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.config.ScaleStorage;
import io.cafeq.engine.block.SlabDecoder;
import io.cafeq.engine.grid.EncodedSlab;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.grid.SlabBuffers;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.rounding.InputMetric;
import io.cafeq.engine.rounding.RoundingRule;
import io.cafeq.engine.rounding.SlabTransforms;
import io.cafeq.engine.statistics.ExpertMoments;
import io.cafeq.engine.statistics.InputMoments;
import io.cafeq.engine.statistics.Shrinkage;
import io.cafeq.engine.transform.Seeds;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Output errors, by moments of many tokens, of weights that were rounded in those of few. */
class FewTokensTest {
  private static final int CHANNELS = 128;
  private static final int MANY = 8192;
  private static final long SEED = 7;

  private final Arena arena = Arena.ofConfined();

  @AfterEach
  void close() {
    arena.close();
  }

  @ParameterizedTest
  @ValueSource(ints = {32, 64, 128})
  void shrinkageGains(int tokens) {
    InputMoments many = decaying(MANY);
    InputMoments shrunk = decaying(tokens);
    new Shrinkage(OptionalDouble.empty()).apply(shrunk);

    assertThat(error(shrunk, many)).isLessThan(0.9 * error(decaying(tokens), many));
  }

  /** Gate and up: the expert's tokens are louder in some channels than those of all experts. */
  @ParameterizedTest
  @ValueSource(ints = {4, 16, 48})
  void anExpertOfFewTokensGainsByItsDiagonal(int tokens) {
    InputMoments all = moments(MANY, SEED);
    InputMoments truth = moments(MANY, SEED);
    InputMoments few = moments(tokens, SEED);
    SplittableRandom random = new SplittableRandom(3);
    double[] louder = Seeds.gaussians(random, CHANNELS);
    scale(truth, louder);
    scale(few, louder);
    InputMoments rescaled = moments(MANY, SEED);
    ExpertMoments.rescale(rescaled, diagonal(few), tokens);

    assertThat(error(rescaled, truth)).isLessThan(error(all, truth));
  }

  /** Down: what other experts' channels of the same number do has nothing to do with its own. */
  @ParameterizedTest
  @ValueSource(ints = {4, 16, 48})
  void itsOwnDiagonalIsBetterThanTheMomentsOfOtherChannels(int tokens) {
    InputMoments truth = moments(MANY, SEED);
    InputMoments others = moments(MANY, SEED + 1);
    float[] own = ExpertMoments.shrunk(diagonal(moments(tokens, SEED)), tokens);
    InputMoments diagonal = InputMoments.ofDiagonal("own", tokens, own, arena);

    assertThat(error(diagonal, truth)).isLessThan(error(others, truth));
  }

  @Test
  void momentsOfOtherChannelsAreWorseThanNone() {
    InputMoments truth = moments(MANY, SEED);
    InputMoments others = moments(MANY, SEED + 1);
    InputMoments level = moments(MANY, SEED + 1);
    ExpertMoments.level(level);

    assertThat(error(level, truth)).isLessThan(error(others, truth));
  }

  private InputMoments moments(int tokens, long seed) {
    return SampleMoments.of(arena, List.of(CHANNELS), tokens, seed);
  }

  /**
   * Moments whose eigenvalues fall about as those of real inputs do, to a thousandth. Where they
   * fall faster, to nothing beyond a third of the channels as in {@link SampleMoments}, shrinkage
   * loses.
   */
  private InputMoments decaying(int tokens) {
    SplittableRandom random = new SplittableRandom(SEED);
    int factors = 2 * CHANNELS;
    double[] mix = Seeds.gaussians(random, factors * CHANNELS);
    FloatMatrix square = FloatMatrix.allocate(arena, CHANNELS, CHANNELS);
    double[] x = new double[CHANNELS];
    for (int token = 0; token < tokens; token++) {
      Arrays.fill(x, 0);
      double[] latent = Seeds.gaussians(random, factors);
      for (int f = 0; f < factors; f++) {
        double weight = latent[f] / Math.sqrt(f + 1.0);
        for (int c = 0; c < CHANNELS; c++) {
          x[c] += weight * mix[f * CHANNELS + c];
        }
      }
      for (int i = 0; i < CHANNELS; i++) {
        for (int j = 0; j < CHANNELS; j++) {
          square.set(i, j, (float) (square.get(i, j) + x[i] * x[j] / tokens));
        }
      }
    }
    return new InputMoments("decaying", tokens, List.of(new InputMoments.Block(0, square)));
  }

  private static void scale(InputMoments moments, double[] logs) {
    FloatMatrix square = moments.blocks().getFirst().moments();
    for (int i = 0; i < CHANNELS; i++) {
      for (int j = 0; j < CHANNELS; j++) {
        square.set(i, j, (float) (square.get(i, j) * Math.exp(logs[i] + logs[j])));
      }
    }
  }

  private static float[] diagonal(InputMoments moments) {
    float[] diagonal = new float[CHANNELS];
    for (int i = 0; i < CHANNELS; i++) {
      diagonal[i] = moments.blocks().getFirst().moments().get(i, i);
    }
    return diagonal;
  }

  /** tr(E H E^T), H of {@code truth}, E the errors of seeded weights rounded in {@code used}. */
  private double error(InputMoments used, InputMoments truth) {
    int rows = 96;
    FloatMatrix weights = FloatMatrix.allocate(arena, rows, CHANNELS);
    double[] drawn = Seeds.gaussians(new SplittableRandom(1), rows * CHANNELS);
    for (int i = 0; i < drawn.length; i++) {
      weights.set(i / CHANNELS, i % CHANNELS, (float) drawn[i]);
    }
    GridSpec grid = new GridSpec(4, 32, ScaleStorage.ZERO_POINT, 8, true);
    FloatMatrix decoded = FloatMatrix.allocate(arena, rows, CHANNELS);
    try (ComputeLane lane = Backends.open("scalar").openLane()) {
      EncodedSlab slab =
          lane.encoder()
              .encode(
                  weights,
                  grid,
                  new SlabTransforms.None(),
                  InputMetric.of(used, 0.01, lane.products(), arena),
                  new RoundingRule.NearestPlane(),
                  new SlabBuffers(arena, grid, rows, CHANNELS));
      new SlabDecoder().decode(slab, 0, null, 0, decoded);
    }
    double[][] h = SampleMoments.dense(truth, 0);
    double sum = 0;
    for (int row = 0; row < rows; row++) {
      for (int i = 0; i < CHANNELS; i++) {
        for (int j = 0; j < CHANNELS; j++) {
          sum +=
              ((double) decoded.get(row, i) - weights.get(row, i))
                  * h[i][j]
                  * ((double) decoded.get(row, j) - weights.get(row, j));
        }
      }
    }
    return sum;
  }
}

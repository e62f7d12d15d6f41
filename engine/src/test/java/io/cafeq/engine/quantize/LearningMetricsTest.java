package io.cafeq.engine.quantize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.cafeq.config.Rounding;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.statistics.InputMoments;
import io.cafeq.engine.transform.ChannelMetric;
import java.lang.foreign.Arena;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What learners see of moments in two blocks, [3, 3] and [5, 5]. */
class LearningMetricsTest {
  private final Arena arena = Arena.ofConfined();
  private final InputMoments moments = new InputMoments("x", 7, List.of(block(0, 3), block(3, 5)));
  private final LearningMetrics metrics = new LearningMetrics(moments, 0.1, Rounding.NEAREST);

  @AfterEach
  void close() {
    arena.close();
  }

  /** Entry (i, j) is 10 i + j the right way up, and 100 is added to the diagonal. */
  private InputMoments.Block block(int first, int channels) {
    FloatMatrix h = FloatMatrix.allocate(arena, channels, channels);
    for (int i = 0; i < channels; i++) {
      for (int j = 0; j < channels; j++) {
        int low = first + Math.min(i, j);
        int high = first + Math.max(i, j);
        h.set(i, j, 10 * low + high + (i == j ? 100 : 0));
      }
    }
    return new InputMoments.Block(first, h);
  }

  @Test
  void blocksAreCutOutAndDamped() {
    // Diagonals are 100 + 11 i: the mean over all is 138.5, over channels 2 to 5 138.5 as well.
    ChannelMetric metric = metrics.blocks(2, List.of(2, 2));
    double scale = 1 / (138.5 * 1.1);
    assertThat(metric.blocks()).hasSize(2);
    assertThat(metric.blocks().get(0))
        .containsExactly(
            new double[] {(122 + 13.85) * scale, 0, 0, (133 + 13.85) * scale}, within(1e-12));
    assertThat(metric.blocks().get(1))
        .containsExactly(
            new double[] {(144 + 13.85) * scale, 45 * scale, 45 * scale, (155 + 13.85) * scale},
            within(1e-12));
  }

  @Test
  void nearestPlaneIsLearnedForWithoutThem() {
    assertThat(new LearningMetrics(moments, 0.1, Rounding.NEAREST_PLANE).blocks(2, List.of(2, 2)))
        .isEqualTo(ChannelMetric.NONE);
  }

  @Test
  void groupsWeighWhatTheirChannelsDo() {
    double[] weights = metrics.groupWeights(2);
    assertThat(weights).hasSize(4);
    double sum = 0;
    for (int g = 0; g < 4; g++) {
      assertThat(weights[g]).isCloseTo((105.5 + 22 * g + 13.85) / (138.5 * 1.1), within(1e-12));
      sum += weights[g];
    }
    assertThat(sum).isCloseTo(4, within(1e-12));
    assertThat(metrics.groupWeights(0)).isEmpty();
  }
}

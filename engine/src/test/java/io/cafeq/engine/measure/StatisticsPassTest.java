package io.cafeq.engine.measure;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cafeq.config.Recipe;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.compute.Backends;
import io.cafeq.engine.compute.ComputeBackend;
import io.cafeq.engine.compute.Numerics;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.model.Miniature;
import io.cafeq.engine.plan.Planner;
import io.cafeq.engine.result.ResultLayout;
import io.cafeq.engine.statistics.InputMoments;
import io.cafeq.engine.statistics.InputStatistics;
import io.cafeq.engine.statistics.MatrixInput;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Every family that can be run, from names to files. */
@Numerics
class StatisticsPassTest {
  private static final int TOKENS = 100;
  private static final int MORE_THAN_A_CHUNK = 1100;
  private static final StopFlag STOP = new StopFlag();

  @TempDir private Path folder;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "llama",
        "mistral",
        "qwen2",
        "qwen3",
        "gemma",
        "gemma2",
        "gemma3_text",
        "gemma3",
        "mixtral",
        "qwen2_moe",
        "qwen3_moe"
      })
  void everyInputOfAQuantizedMatrixIsMeasured(String family) throws IOException {
    Path model = miniature(family);
    try (Checkpoint checkpoint = Checkpoint.open(model)) {
      StatisticsPlan plan = plan(checkpoint, TOKENS);
      Path root = Files.createDirectory(folder.resolve("out"));
      take(checkpoint, plan, root, Long.MAX_VALUE / 4);

      InputStatistics statistics = plan.stored(root.resolve("statistics"), checkpoint, STOP);
      assertThat(plan.inputs().layers()).isNotEmpty();
      for (int layer : plan.inputs().layers()) {
        assertThat(plan.inputs().of(layer)).isNotEmpty();
        try (MomentReader reader =
                MomentReader.open(
                    root.resolve("statistics").resolve(ResultLayout.layerName(layer)));
            Arena arena = Arena.ofConfined()) {
          for (MatrixInput input : plan.inputs().of(layer)) {
            InputMoments moments =
                statistics.read(input, arena).orElseThrow(() -> new AssertionError(input));
            assertThat(moments.channels()).isEqualTo(input.channels());
            boolean alone = input.fallBack().isEmpty() && !input.name().contains("experts");
            if (alone && !input.name().contains("shared_expert")) {
              assertThat(reader.tokens()).containsEntry(input.name(), (long) TOKENS);
            }
          }
        }
        assertThat(Files.size(root.resolve("statistics").resolve(ResultLayout.layerName(layer))))
            .isLessThanOrEqualTo(plan.fileBytes(layer));
      }
      assertThat(plan.fileBytes(List.of())).isZero();
      assertThat(plan.fileBytes(List.of(0))).isBetween(plan.fileBytes(0), plan.fileBytes());
    }
  }

  @Test
  void expertsTogetherSeeWhatTheirLayerSees() throws IOException {
    Path model = miniature("mixtral");
    try (Checkpoint checkpoint = Checkpoint.open(model)) {
      StatisticsPlan plan = plan(checkpoint, TOKENS);
      take(checkpoint, plan, folder, Long.MAX_VALUE / 4);
      Path file = folder.resolve("statistics").resolve(ResultLayout.layerName(0));
      try (MomentReader reader = MomentReader.open(file)) {
        String all = "model.layers.0.block_sparse_moe.experts";
        long routed =
            reader.tokens().entrySet().stream()
                .filter(entry -> entry.getKey().matches("\\Q" + all + "\\E\\.\\d+"))
                .mapToLong(Map.Entry::getValue)
                .sum();
        assertThat(routed).isEqualTo(2L * TOKENS);
        assertThat(reader.tokens()).containsEntry(all, (long) TOKENS);
        assertThat(reader.tokens().get(all + ".w2.weight")).isEqualTo(2L * TOKENS);
      }
    }
  }

  @Test
  void theLeastMemoryGivesTheSameBytes() throws IOException {
    Path model = miniature("qwen3");
    try (Checkpoint checkpoint = Checkpoint.open(model)) {
      StatisticsPlan plan = plan(checkpoint, MORE_THAN_A_CHUNK);
      Path plenty = Files.createDirectory(folder.resolve("plenty"));
      Path least = Files.createDirectory(folder.resolve("least"));
      long needed = StatisticsPass.memoryNeeded(checkpoint, plan);
      Path nowhere = folder.resolve("not there");
      take(checkpoint, plan, plenty, Long.MAX_VALUE / 4, nowhere);
      assertThatThrownBy(() -> take(checkpoint, plan, least, needed, nowhere))
          .hasMessageContaining(nowhere.toString());
      take(checkpoint, plan, least, needed, folder);

      for (int layer : plan.inputs().layers()) {
        Path name = Path.of("statistics", ResultLayout.layerName(layer));
        assertThat(least.resolve(name)).hasSameBinaryContentAs(plenty.resolve(name));
      }
    }
  }

  private void take(Checkpoint checkpoint, StatisticsPlan plan, Path root, long memory) {
    take(checkpoint, plan, root, memory, folder);
  }

  /**
   * @param scratch where activations go that have no room
   */
  private void take(
      Checkpoint checkpoint, StatisticsPlan plan, Path root, long memory, Path scratch) {
    ComputeBackend backend = Backends.open("auto");
    StatisticsFolder files = new StatisticsFolder(root, checkpoint, plan);
    StatisticsTokens tokens = new TokenMaker(checkpoint, backend, 1L << 28, STOP).make(plan);
    files.keep(tokens, backend.kernel(), STOP);
    assertThat(files.storedTokens().orElseThrow().sha256()).isEqualTo(tokens.sha256());
    try (StatisticsPass pass =
        StatisticsPass.open(
            checkpoint, backend, plan, tokens, files, Math.min(memory, 1L << 30), scratch, STOP)) {
      while (!files.missing().isEmpty()) {
        pass.next();
      }
    }
    StatisticsFolder again = new StatisticsFolder(root, checkpoint, plan);
    again.keepIntact(tokens, STOP);
    assertThat(again.missing()).isEmpty();
    assertThat(again.changedSource(STOP)).isEmpty();
    assertThat(again.entry(tokens).kernels()).containsExactly(backend.kernel());
  }

  private StatisticsPlan plan(Checkpoint checkpoint, int tokens) {
    Recipe recipe =
        Recipe.of(
            Map.of(
                "statistics",
                "random",
                "statistics-tokens",
                Integer.toString(tokens),
                "statistics-window",
                "30",
                "method",
                "rtn",
                "group",
                "32"));
    return StatisticsPlan.of(checkpoint, Planner.plan(checkpoint, recipe), recipe);
  }

  private Path miniature(String family) {
    Path model = folder.resolve("model");
    Miniature.of(family, 1).write(model, Miniature.Spread.APART);
    return model;
  }
}

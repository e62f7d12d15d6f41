package io.cafeq.engine.measure;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.config.Recipe;
import io.cafeq.config.StatisticsSource;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.compute.Backends;
import io.cafeq.engine.compute.ComputeBackend;
import io.cafeq.engine.compute.ComputeLane;
import io.cafeq.engine.evaluate.EvaluatedModel;
import io.cafeq.engine.evaluate.EvaluationWatcher;
import io.cafeq.engine.evaluate.OutputError;
import io.cafeq.engine.evaluate.Resources;
import io.cafeq.engine.evaluate.TextEvaluation;
import io.cafeq.engine.export.ExportProgress;
import io.cafeq.engine.export.ExportRequest;
import io.cafeq.engine.export.Exports;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.forward.ForwardModels;
import io.cafeq.engine.model.Miniature;
import io.cafeq.engine.model.QuantizedFolder;
import io.cafeq.engine.plan.Planner;
import io.cafeq.engine.statistics.InputStatistics;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

/**
 * What the default recipe does with statistics, beside the same without them, on tokens that the
 * statistics have not seen.
 */
class StatisticsGainTest {
  /** Dense, with experts, with pairs of queries and keys, and without a forward pass of ours. */
  static final List<String> SOME = List.of("qwen3", "gpt2", "bert", "qwen3_moe", "deepseek_v3");

  static final List<String> OTHERS =
      Miniature.NAMES.stream().filter(name -> !SOME.contains(name)).toList();

  private static final int VOCABULARY = 50;
  private static final StopFlag STOP = new StopFlag();
  private static final Map<String, String> QUICK =
      Map.of("steps", "20", "pair-steps", "20", "statistics-window", "32");

  @TempDir Path folder;

  @Tag("slow")
  @ParameterizedTest
  @FieldSource("OTHERS")
  void norInTheOtherFamilies(String family) throws IOException {
    outputsAreNoFurtherOffByDefaultThanWithoutStatistics(family);
  }

  @ParameterizedTest
  @FieldSource("SOME")
  void outputsAreNoFurtherOffByDefaultThanWithoutStatistics(String family) throws IOException {
    Path model = folder.resolve("model");
    Miniature.of(family, 7).write(model, Miniature.Spread.ONE);
    Path without = folder.resolve("none");
    Path usual = folder.resolve("usual");
    Map<String, String> none = with(QUICK, "statistics", "none");
    QuantizedFolder.make(model, without, none);
    try (Checkpoint checkpoint = Checkpoint.open(model)) {
      Recipe recipe = Recipe.of(QUICK);
      StatisticsPlan plan = StatisticsPlan.of(checkpoint, Planner.plan(checkpoint, recipe), recipe);
      if (!ForwardModels.supports(checkpoint.config()).supported()) {
        assertThat(plan.choice().used()).isInstanceOf(StatisticsSource.Weights.class);
        assertThat(plan.choice().note()).get().asString().contains("estimated from the weights");
        QuantizedFolder.make(model, usual, QUICK, false, estimated(checkpoint, plan));
        Path weights = dense(usual).resolve("model.safetensors");
        assertThat(Files.mismatch(weights, dense(without).resolve("model.safetensors")))
            .isNotNegative();
        return;
      }
      assertThat(plan.choice().used()).isInstanceOf(StatisticsSource.Random.class);
      QuantizedFolder.make(model, usual, QUICK, false, taken(checkpoint, plan));
      assertThat(squares(usual, model)).isLessThanOrEqualTo(squares(without, model));
    }
  }

  private InputStatistics estimated(Checkpoint checkpoint, StatisticsPlan plan) throws IOException {
    Path root = Files.createDirectory(folder.resolve("estimated"));
    StatisticsFolder files = new StatisticsFolder(root, checkpoint, plan);
    try (EstimatePass pass = EstimatePass.open(checkpoint, plan, files, STOP)) {
      while (!files.missing().isEmpty()) {
        pass.next();
      }
    }
    return files.stored(checkpoint, STOP);
  }

  private InputStatistics taken(Checkpoint checkpoint, StatisticsPlan plan) throws IOException {
    ComputeBackend backend = Backends.open("scalar");
    Path root = Files.createDirectory(folder.resolve("taken"));
    StatisticsFolder files = new StatisticsFolder(root, checkpoint, plan);
    StatisticsTokens tokens = new TokenMaker(checkpoint, backend, 1L << 28, STOP).make(plan);
    files.keep(tokens, backend.kernel(), STOP);
    try (StatisticsPass pass =
        StatisticsPass.open(checkpoint, backend, plan, tokens, files, 1L << 30, folder, STOP)) {
      while (!files.missing().isEmpty()) {
        pass.next();
      }
    }
    return plan.stored(files.path(), checkpoint, STOP);
  }

  /** Squared relative output errors of all matrices, summed up. */
  private double squares(Path result, Path model) {
    SplittableRandom random = new SplittableRandom(99);
    try (EvaluatedModel quantized = EvaluatedModel.open(result);
        EvaluatedModel original = EvaluatedModel.open(model);
        ComputeLane lane = Backends.open("scalar").openLane()) {
      List<int[]> windows =
          IntStream.range(0, 8)
              .mapToObj(window -> random.ints(32, 0, VOCABULARY).toArray())
              .toList();
      Resources resources =
          new Resources(lane.products(), 1L << 30, 0, folder, STOP, EvaluationWatcher.NONE);
      return new TextEvaluation(resources, windows)
          .compare(quantized, original).outputErrors().stream()
              .mapToDouble(OutputError::error)
              .map(error -> error * error)
              .sum();
    }
  }

  private static Path dense(Path result) {
    Path export = result.resolveSibling(result.getFileName() + "-dense");
    Exports.run(new ExportRequest(result, "dense", export, Map.of()), STOP, ExportProgress.NONE);
    return export;
  }

  private static Map<String, String> with(Map<String, String> keys, String key, String value) {
    Map<String, String> all = new TreeMap<>(keys);
    all.put(key, value);
    return all;
  }
}

package io.cafeq.engine.model;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.cafeq.config.RemoteSettings;
import io.cafeq.engine.block.ResultReader;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.compare.TensorSet;
import io.cafeq.engine.export.ExportProgress;
import io.cafeq.engine.export.ExportRequest;
import io.cafeq.engine.export.Exports;
import io.cafeq.engine.export.ScaleFolds;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Column scales that the norm before the matrices takes over, on families whose norms differ: a
 * packed export, read as a checkpoint, computes what the dense export of the same result computes.
 */
class FoldedScalesTest {
  private static final int[] TOKENS = {3, 14, 15, 9, 26, 5, 35, 8, 9, 7, 9, 32, 38, 46, 26, 43};
  private static final Set<String> MIXTURES = Set.of("mixtral", "qwen2_moe", "qwen3_moe");

  @TempDir Path folder;

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
        "phi3",
        "mixtral",
        "qwen2_moe",
        "qwen3_moe"
      })
  void anExportWithFoldedScalesComputesTheSame(String name) {
    Miniature.inFloat32(name, 5).write(folder.resolve("source"), Miniature.Spread.APART);
    Path result = folder.resolve("result");
    QuantizedFolder.make(
        folder.resolve("source"),
        result,
        Map.of("target", "compressed-tensors", "group", "32", "method", "rtn"),
        false,
        new DrawnStatistics(1, ""));
    try (ResultReader reader = ResultReader.open(result)) {
      ScaleFolds folds = ScaleFolds.of(reader);
      assertThat(folds.left()).isEmpty();
      assertThat(folds.norms().keySet()).anyMatch(norm -> norm.contains("input_layernorm"));
      if (MIXTURES.contains(name)) {
        // the router reads the norm before a mixture as well
        assertThat(folds.norms().keySet())
            .noneMatch(norm -> norm.equals("model.layers.1.post_attention_layernorm.weight"));
      } else {
        assertThat(folds.norms().size() % 2).isZero();
      }
    }
    Path export = export(result, "compressed-tensors");
    Path dense = export(result, "dense");
    Trace expected = ForwardPass.of(model(dense)).run(TOKENS);
    assertThat(ForwardPass.of(model(export)).run(TOKENS).distance(expected)).isLessThan(1e-5);
    assertThat(ForwardPass.of(model(folder.resolve("source"))).run(TOKENS).distance(expected))
        .as("a control: quantized weights are seen")
        .isGreaterThan(1e-3);
  }

  /** The model of a checkpoint whose packed weights this program decodes. */
  private static Model model(Path checkpoint) {
    JsonNode config;
    try (Checkpoint opened = Checkpoint.open(checkpoint)) {
      config = opened.config().json();
    }
    SortedMap<String, DoubleTensor> tensors = new TreeMap<>();
    try (TensorSet set = TensorSet.open(checkpoint.toString(), RemoteSettings.defaults());
        Arena arena = Arena.ofConfined()) {
      set.shapes()
          .forEach(
              (name, shape) -> {
                int columns = Math.toIntExact(shape.getLast());
                int all = Math.toIntExact(shape.stream().reduce(1L, Math::multiplyExact));
                FloatMatrix values = FloatMatrix.allocate(arena, all / columns, columns);
                set.read(name, 0, values);
                double[] numbers = new double[all];
                for (int i = 0; i < all; i++) {
                  numbers[i] = values.get(i / columns, i % columns);
                }
                tensors.put(
                    name, new DoubleTensor(shape.stream().map(Math::toIntExact).toList(), numbers));
              });
    }
    return Model.of(config, new Weights(tensors));
  }

  private Path export(Path result, String format) {
    Path export = folder.resolve(format);
    Exports.run(
        new ExportRequest(result, format, export, Map.of()), new StopFlag(), ExportProgress.NONE);
    return export;
  }
}

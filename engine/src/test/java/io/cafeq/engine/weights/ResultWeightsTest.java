package io.cafeq.engine.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.compute.Numerics;
import io.cafeq.engine.evaluate.Comparison;
import io.cafeq.engine.evaluate.EvaluatedModel;
import io.cafeq.engine.evaluate.Evaluations;
import io.cafeq.engine.evaluate.OutputError;
import io.cafeq.engine.export.ExportProgress;
import io.cafeq.engine.export.ExportRequest;
import io.cafeq.engine.export.Exports;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.forward.ModelWeights;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.model.Miniature;
import io.cafeq.engine.model.QuantizedFolder;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A result read as it is against the dense checkpoint that is exported from it. */
@Numerics
class ResultWeightsTest {
  private static final long PLENTY = 512L << 20;
  private static final String STEPS = "4";

  @TempDir Path folder;

  @ParameterizedTest
  @CsvSource({
    "llama, output",
    "llama, input",
    "qwen2, output",
    "gemma2, input",
    "mixtral, output",
    "mixtral, input"
  })
  void everyRowIsThatOfTheDenseExport(String family, String side) {
    Miniature.inFloat32(family, 1).write(source(), Miniature.Spread.APART);
    quantize(Map.of("side", side, "block", "16", "steps", STEPS));
    try (ResultWeights weights = ResultWeights.open(result());
        Checkpoint dense = Checkpoint.open(dense());
        CheckpointWeights expected = CheckpointWeights.of(dense);
        Arena arena = Arena.ofConfined()) {
      assertThat(weights.model().config().json()).isEqualTo(expected.model().config().json());
      for (TensorInfo info : dense.tensors()) {
        String tensor = info.name();
        assertThat(weights.has(tensor)).isTrue();
        if (info.shape().size() == 1) {
          int length = Math.toIntExact(info.elements());
          assertThat(weights.vector(tensor, length))
              .as(tensor)
              .isEqualTo(expected.vector(tensor, length));
          continue;
        }
        assertThat(weights.rows(tensor)).isEqualTo(expected.rows(tensor));
        assertThat(weights.columns(tensor)).isEqualTo(expected.columns(tensor));
        // Pieces that neither begin nor end with blocks, in order, and then rows here and there.
        for (int step : new int[] {5, 23, expected.rows(tensor)}) {
          for (int first = 0; first < expected.rows(tensor); first += step) {
            compare(
                arena,
                weights,
                expected,
                tensor,
                first,
                Math.min(step, expected.rows(tensor) - first));
          }
        }
        for (int first = expected.rows(tensor) - 1; first >= 0; first -= 7) {
          compare(arena, weights, expected, tensor, first, 1);
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"llama", "qwen2", "gemma3_text", "qwen2_moe"})
  void aResultPredictsAsItsDenseExport(String family) {
    Miniature.inFloat32(family, 1).write(source(), Miniature.Spread.ONE);
    quantize(Map.of("bits", "3", "block", "16", "steps", STEPS));
    List<int[]> windows = Evaluations.windows(4, 24);
    Comparison found = Evaluations.compare(result(), source(), windows, PLENTY);
    Comparison dense = Evaluations.compare(dense(), source(), windows, PLENTY);
    assertThat(found.model().perplexity())
        .isCloseTo(dense.model().perplexity(), Percentage.withPercentage(0.1));
    assertThat(found.reference()).isEqualTo(dense.reference());
    assertThat(found.divergence()).isPositive();
  }

  @Test
  void ofAPairOnlyTheProductIsCompared() {
    Miniature.of("qwen2", 1).write(source(), Miniature.Spread.ONE);
    quantize(Map.of("bits", "8", "block", "16", "steps", STEPS, "group", "16"));
    try (ResultWeights weights = ResultWeights.open(result())) {
      assertThat(weights.isCoupled("model.layers.0.self_attn.v_proj.weight")).isTrue();
      assertThat(weights.isCoupled("model.layers.0.self_attn.q_proj.weight")).isFalse();
    }
    assertOnlyProducts(
        Evaluations.compare(result(), source(), Evaluations.windows(2, 24), PLENTY).outputErrors());
    assertOnlyProducts(
        Evaluations.compare(source(), result(), Evaluations.windows(2, 24), PLENTY).outputErrors());
  }

  private static void assertOnlyProducts(List<OutputError> errors) {
    assertThat(errors)
        .extracting(OutputError::matrix)
        .contains("self_attn.q_proj", "self_attn.v_proj+o_proj", "mlp.down_proj")
        .doesNotContain("self_attn.v_proj", "self_attn.o_proj");
    assertThat(errors)
        .allSatisfy(error -> assertThat(error.error()).as(error.toString()).isBetween(1e-5, 0.1));
  }

  @Test
  void anUnfinishedResultIsRefused() throws IOException {
    Files.createDirectories(result().resolve("units"));
    assertThatThrownBy(() -> EvaluatedModel.open(result()))
        .isInstanceOfSatisfying(
            EngineException.class,
            e -> {
              assertThat(e.kind()).isEqualTo(FailureKind.RESULT);
              assertThat(e.getMessage()).contains("partial");
            });
  }

  @Test
  void whatIsNotThereIsNamed() {
    Miniature.of("llama", 1).write(source(), Miniature.Spread.ONE);
    quantize(Map.of("method", "rtn"));
    try (ResultWeights weights = ResultWeights.open(result())) {
      assertThat(weights.has("model.layers.9.mlp.down_proj.weight")).isFalse();
      assertThatThrownBy(() -> weights.rows("model.layers.9.mlp.down_proj.weight"))
          .isInstanceOf(EngineException.class)
          .hasMessageContaining("model.layers.9.mlp.down_proj.weight");
      assertThatThrownBy(() -> weights.vector("model.layers.0.mlp.down_proj.weight", 64))
          .isInstanceOf(EngineException.class)
          .hasMessageContaining("expected a vector");
      assertThatThrownBy(() -> weights.vector("model.norm.weight", 63))
          .isInstanceOfSatisfying(
              EngineException.class,
              e -> {
                assertThat(e.kind()).isEqualTo(FailureKind.CHECKPOINT);
                assertThat(e)
                    .hasMessageContaining("\"model.norm.weight\"")
                    .hasMessageContaining("[63], found [64]");
              });
      assertThatThrownBy(() -> weights.columns("model.norm.weight"))
          .isInstanceOf(EngineException.class)
          .hasMessageContaining("model.norm.weight");
    }
  }

  private void quantize(Map<String, String> recipe) {
    Map<String, String> all = new TreeMap<>(recipe);
    all.put("transform-bits", "16");
    all.put("fall-back", "false");
    all.put("embeddings", "8");
    all.put("pair-steps", STEPS);
    QuantizedFolder.make(source(), result(), all);
    Exports.run(
        new ExportRequest(result(), "dense", dense(), Map.of()),
        new StopFlag(),
        ExportProgress.NONE);
  }

  private static void compare(
      Arena arena, ModelWeights found, ModelWeights expected, String tensor, int first, int count) {
    FloatMatrix own = FloatMatrix.allocate(arena, count, expected.columns(tensor));
    FloatMatrix other = FloatMatrix.allocate(arena, count, expected.columns(tensor));
    found.read(tensor, first, own);
    expected.read(tensor, first, other);
    assertThat(own.segment().mismatch(other.segment()))
        .as("%s from row %d on", tensor, first)
        .isEqualTo(-1);
  }

  private Path source() {
    return folder.resolve("source");
  }

  private Path result() {
    return folder.resolve("result");
  }

  private Path dense() {
    return folder.resolve("dense");
  }
}

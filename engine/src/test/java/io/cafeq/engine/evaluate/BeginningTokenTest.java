package io.cafeq.engine.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.compute.Backends;
import io.cafeq.engine.compute.ComputeLane;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.forward.SelfText;
import io.cafeq.engine.forward.SmallRun;
import io.cafeq.engine.model.Miniature;
import io.cafeq.engine.tokens.BeginningToken;
import io.cafeq.engine.weights.CheckpointWeights;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Which models have their texts begin with a token, and with which. */
class BeginningTokenTest {
  private static final int USUAL = 2;

  @TempDir Path folder;

  @ParameterizedTest
  @ValueSource(strings = {"gemma", "gemma2", "gemma3", "gemma3_text"})
  void gemmasHaveTheirs(String family) throws IOException {
    assertThat(of(family, "{}").id()).hasValue(USUAL);
    assertThat(of(family, "{\"bos_token_id\": 7}").id()).hasValue(7);
    assertThat(of(family, "{\"bos_token_id\": null}").id()).hasValue(USUAL);
    for (String wrong : List.of("50", "-1", "\"<bos>\"")) {
      assertThatThrownBy(() -> of(family, "{\"bos_token_id\": " + wrong + "}"))
          .isInstanceOfSatisfying(
              EngineException.class, e -> assertThat(e.kind()).isEqualTo(FailureKind.CHECKPOINT))
          .hasMessageContaining("bos_token_id");
    }
  }

  @Test
  void aTextModelsOwnComesFirst() throws IOException {
    Miniature miniature = Miniature.of("gemma3", 1);
    ObjectNode text =
        ((ObjectNode) miniature.config().get("text_config")).deepCopy().put("bos_token_id", 9);
    assertThat(of("gemma3", "{\"bos_token_id\": 7, \"text_config\": " + text + "}").id())
        .hasValue(9);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"llama", "mistral", "qwen2", "qwen3", "mixtral", "qwen2_moe", "qwen3_moe"})
  void othersHaveNone(String family) throws IOException {
    assertThat(of(family, "{\"bos_token_id\": 1}")).isEqualTo(BeginningToken.NONE);
  }

  @Test
  void itTakesOnePlaceOfAWindow() {
    BeginningToken token = new BeginningToken(OptionalInt.of(7));
    assertThat(token.count()).isEqualTo(1);
    assertThat(token.before(new int[] {3, 4})).containsExactly(7, 3, 4);
    int[] same = {3, 4};
    assertThat(BeginningToken.NONE.count()).isZero();
    assertThat(BeginningToken.NONE.before(same)).isSameAs(same);
  }

  @Test
  void whatAGemmaWritesBeginsWithIt() {
    Miniature.of("gemma2", 1).write(folder, Miniature.Spread.ONE);
    try (Checkpoint checkpoint = Checkpoint.open(folder);
        CheckpointWeights weights = CheckpointWeights.of(checkpoint);
        ComputeLane lane = Backends.open("auto").openLane()) {
      List<int[]> texts =
          SelfText.write(
              weights, lane.products(), 4, 12, 1, SmallRun.PLENTY, new StopFlag(), token -> false);
      assertThat(texts).allSatisfy(text -> assertThat(text[0]).isEqualTo(USUAL));
      assertThat(texts.stream().map(text -> text[1]).distinct().count()).isGreaterThan(1);
    }
  }

  private BeginningToken of(String family, String change) throws IOException {
    Path model = Files.createTempDirectory(folder, family);
    Miniature miniature = Miniature.of(family, 1);
    miniature.write(model, Miniature.Spread.ONE);
    ObjectNode config = miniature.config().deepCopy();
    config.setAll((ObjectNode) new ObjectMapper().readTree(change));
    Files.writeString(model.resolve("config.json"), config.toString());
    try (EvaluatedModel opened = EvaluatedModel.open(model)) {
      return opened.beginningToken();
    }
  }
}

package io.cafeq.engine.forward;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.cafeq.engine.evaluate.EvaluatedModel;
import io.cafeq.engine.evaluate.Evaluations;
import io.cafeq.engine.evaluate.TextScore;
import io.cafeq.engine.model.Miniature;
import io.cafeq.engine.model.Shared;
import io.cafeq.engine.modelconfig.ModelConfig;
import io.cafeq.engine.tokens.BeginningToken;
import io.cafeq.engine.tokens.TextTokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The same model computes the same whichever way config.json says what it is, and models of a
 * current library run.
 */
class RenamedKeysTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir Path folder;

  private List<double[]> states(Miniature miniature, JsonNode config) throws IOException {
    Path model = Files.createTempDirectory(folder, "model");
    miniature.write(model, Miniature.Spread.ONE);
    Files.writeString(model.resolve("config.json"), config.toString());
    return SmallRun.states(model, SmallRun.windows(2, 24, 50), SmallRun.PLENTY, InputObserver.NONE);
  }

  private void assertSame(String family, JsonNode config) throws IOException {
    Miniature miniature = Miniature.of(family, 1);
    assertThat(states(miniature, config).toArray(double[][]::new))
        .isDeepEqualTo(states(miniature, miniature.config()).toArray(double[][]::new));
  }

  private static ObjectNode renamed(String family, String... names) {
    ObjectNode config = Miniature.of(family, 1).config().deepCopy();
    for (int i = 0; i < names.length; i += 2) {
      assertThat(config.has(names[i])).as(names[i]).isTrue();
      config.set(names[i + 1], config.remove(names[i]));
    }
    return config;
  }

  @ParameterizedTest
  @CsvSource({
    "qwen3_moe, num_experts, num_local_experts",
    "qwen2_moe, num_experts, num_local_experts",
    "mixtral, num_local_experts, num_experts",
    "llama, num_hidden_layers, n_layers",
    "llama, num_attention_heads, n_head",
    "llama, num_key_value_heads, num_kv_heads",
    "llama, hidden_size, n_embd",
    "qwen3, rms_norm_eps, norm_eps"
  })
  void aKeyOfAnotherName(String family, String key, String other) throws IOException {
    assertSame(family, renamed(family, key, other));
  }

  @ParameterizedTest
  @ValueSource(strings = {"text_config", "llm_config", "language_config", "thinker_config"})
  void aTextModelInASection(String section) throws IOException {
    ObjectNode config = JSON.createObjectNode().put("model_type", "somebodys_vlm");
    config.putObject("vision_config").put("num_hidden_layers", 9).put("hidden_size", 8);
    config.set(section, Miniature.of("qwen2", 1).config());
    assertSame("qwen2", config);
  }

  @Test
  void keysThatMovedUp() throws IOException {
    ObjectNode text = Miniature.of("mistral", 1).config().deepCopy();
    ObjectNode config = JSON.createObjectNode().put("model_type", "mistral3");
    for (String key : List.of("vocab_size", "rope_theta", "tie_word_embeddings", "rms_norm_eps")) {
      if (text.has(key)) {
        config.set(key, text.remove(key));
      }
    }
    config.set("text_config", text);
    assertSame("mistral", config);
  }

  @Test
  void rotaryParametersByKindOfLayer() throws IOException {
    ObjectNode config = Miniature.of("mistral", 1).config().deepCopy();
    JsonNode base =
        config.hasNonNull("rope_theta")
            ? config.remove("rope_theta")
            : JSON.getNodeFactory().numberNode(10000);
    ObjectNode parameters = config.putObject("rope_parameters");
    for (String type : List.of("sliding_attention", "full_attention")) {
      parameters.putObject(type).put("rope_type", "default").set("rope_theta", base);
    }
    assertSame("mistral", config);
  }

  @Test
  void sparseLayersByList() throws IOException {
    ObjectNode config = Miniature.of("qwen3_moe", 1).config().deepCopy();
    int layers = config.path("num_hidden_layers").asInt();
    ObjectNode listed = config.deepCopy();
    listed.remove(List.of("mlp_only_layers", "decoder_sparse_step"));
    DecoderShape shape = DecoderShapes.of(ModelConfig.of(config));
    for (int layer = 0; layer < layers; layer++) {
      listed
          .withArray("mlp_layer_types")
          .add(shape.layers().get(layer).sparse() ? "sparse" : "dense");
    }
    assertSame("qwen3_moe", listed);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "llama",
        "llama-tied",
        "mistral",
        "mistral3",
        "qwen2",
        "qwen3",
        "gemma",
        "gemma2",
        "gemma3",
        "gemma3-multimodal",
        "mixtral",
        "qwen2_moe",
        "qwen3_moe",
        "qwen3_moe-fused"
      })
  void modelsOfACurrentLibrary(String name) throws IOException {
    Path model = Shared.require("data/families/" + name);
    JsonNode golden = JSON.readTree(model.resolve("golden.json").toFile());
    try (EvaluatedModel opened = EvaluatedModel.open(model);
        TextTokenizer tokenizer = TextTokenizer.open(model)) {
      assertThat(opened.warnings()).isEmpty();
      BeginningToken beginning = opened.beginningToken();
      int[] tokens =
          beginning.before(tokenizer.beginning(model.resolve("text.txt"), 48 - beginning.count()));
      double expected =
          beginning.count() == 0
              ? golden.path("perplexity").asDouble()
              : golden.path("beginning").path("perplexity_of_47").asDouble();
      TextScore score = Evaluations.score(model, List.of(tokens), Evaluations.PLENTY);
      assertThat(score.perplexity()).isCloseTo(expected, within(1e-5 * expected));
    }
  }
}

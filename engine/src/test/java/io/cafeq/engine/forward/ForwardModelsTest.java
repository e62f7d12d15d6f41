package io.cafeq.engine.forward;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.family.FamilyShapes;
import io.cafeq.engine.modelconfig.ModelConfig;
import java.lang.foreign.Arena;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is known, what is refused and why, and what is assumed where config.json says nothing. */
class ForwardModelsTest {
  @ParameterizedTest
  @MethodSource("io.cafeq.engine.forward.ForwardPassTest#families")
  void familiesThatAreKnown(String family) {
    assertThat(ForwardModels.supports(ModelConfig.of(FamilyShapes.of(family).configObject())))
        .isEqualTo(new ForwardModels.Support(true, ""));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "phi3",
        "gpt2",
        "bert",
        "deepseek_v3",
        "llama4",
        "gpt_oss",
        "qwen3_next",
        "gemma3n"
      })
  void otherFamiliesAreRefusedByName(String family) {
    ObjectNode config = FamilyShapes.of(family).configObject();
    ForwardModels.Support support = ForwardModels.supports(ModelConfig.of(config));
    assertThat(support.supported()).isFalse();
    assertThat(support.reason())
        .contains(
            "\"" + config.path("model_type").asText() + "\"",
            "llama, mistral, qwen2, qwen3, gemma",
            "qwen3_moe");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "llama; {\"rope_scaling\": {\"rope_type\": \"longrope\", \"factor\": 4}}; \"longrope\"",
        "llama; {\"rope_scaling\": {\"factor\": 4}}; rotary embedding of type \"\"",
        "llama; {\"hidden_act\": \"relu2\"}; \"relu2\"",
        "llama; {\"hidden_act\": \"gelu\"}; \"gelu\"",
        "llama; {\"partial_rotary_factor\": 0.5}; \"0.5\"",
        "llama; {\"rope_parameters\": {\"rope_theta\": 10000, \"partial_rotary_factor\": 0.5}};"
            + " \"0.5\"",
        "gemma3_text; {\"rope_parameters\": {\"sliding_attention\": {\"partial_rotary_factor\":"
            + " 0.25}}}; \"0.25\"",
        "llama; {\"rope_parameters\": {\"rope_theta\": 1}, \"rope_scaling\": {\"type\": \"linear\","
            + " \"factor\": 8}}; rope_scaling",
        "llama; {\"rope_parameters\": {\"rope_type\": \"linear\", \"factor\": 4}, \"rope_scaling\":"
            + " {\"factor\": 8}}; rope_scaling",
        "llama; {\"is_causal\": false}; is_causal",
        "llama; {\"use_bidirectional_attention\": true}; use_bidirectional_attention",
        "gemma3_text; {\"use_bidirectional_attention\": true}; use_bidirectional_attention",
        "gemma3_text; {\"layer_types\": [\"full_attention\", \"chunked_attention\"]};"
            + " \"chunked_attention\"",
        "gemma3_text; {\"layer_types\": [\"full_attention\"]}; \"(none)\"",
        "llama; {\"attention_output_gate\": true}; attention_output_gate",
        "llama; {\"rope_scaling\": {\"type\": \"su\"}}; rope_scaling.type",
        "llama; {\"rope_parameters\": {\"rope_type\": \"proportional\"}};"
            + " rope_parameters.rope_type",
        "mistral; {\"sliding_window\": 8, \"rope_parameters\": {\"full_attention\": {}}};"
            + " sliding_attention",
        "qwen3_moe; {\"mlp_layer_types\": [\"sparse\", \"hash_moe\"]}; mlp_layer_types"
      })
  void whatNoPassIsWrittenForIsRefused(String family, String change, String words)
      throws JsonProcessingException {
    ObjectNode config = config(family, change);
    assertThat(ForwardModels.supports(ModelConfig.of(config)).reason()).contains(words, "knows");
    assertThatThrownBy(() -> DecoderShapes.of(ModelConfig.of(config)))
        .isInstanceOfSatisfying(
            EngineException.class, e -> assertThat(e.kind()).isEqualTo(FailureKind.USAGE));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "llama; {\"hidden_size\": \"64\"}; hidden_size",
        "llama; {\"num_hidden_layers\": 0}; num_hidden_layers",
        "llama; {\"num_key_value_heads\": 3}; num_key_value_heads",
        "llama; {\"head_dim\": 15}; head_dim",
        "llama; {\"rms_norm_eps\": -1}; rms_norm_eps",
        "llama; {\"tie_word_embeddings\": 1}; tie_word_embeddings",
        "llama; {\"rope_scaling\": {\"rope_type\": \"linear\"}}; rope_scaling.factor",
        "mistral; {\"sliding_window\": 0}; sliding_window",
        "qwen2; {\"use_sliding_window\": true, \"max_window_layers\": -1}; max_window_layers",
        "mixtral; {\"num_experts_per_tok\": 5}; num_experts_per_tok"
      })
  void nonsenseIsRefusedWithItsKey(String family, String change, String key)
      throws JsonProcessingException {
    ObjectNode config = config(family, change);
    assertThatThrownBy(() -> DecoderShapes.of(ModelConfig.of(config)))
        .isInstanceOfSatisfying(
            EngineException.class,
            e -> {
              assertThat(e.kind()).isEqualTo(FailureKind.CHECKPOINT);
              assertThat(e).hasMessageContaining("config.json: " + key + ": expected");
            });
  }

  @Test
  void whatAnInnerFileLeavesToTheLibraryIsNotBlamedOnTheFile() {
    ObjectNode config = JsonNodeFactory.instance.objectNode().put("model_type", "llava");
    config.set(
        "text_config", FamilyShapes.of("mistral").configObject().without("num_attention_heads"));
    assertThatThrownBy(() -> DecoderShapes.of(ModelConfig.of(config)))
        .isInstanceOfSatisfying(
            EngineException.class,
            e -> {
              assertThat(e.kind()).isEqualTo(FailureKind.CHECKPOINT);
              assertThat(e)
                  .hasMessageContaining(
                      "text_config leaves num_attention_heads to the library's default");
              assertThat(e.remedy()).contains("num_attention_heads").doesNotContain("Download");
            });
  }

  /** The published multimodal files leave out most of what the text model has. */
  @Test
  void gemmasAssumptions() throws JsonProcessingException {
    DecoderShape shape =
        DecoderShapes.of(
            ModelConfig.of(
                (ObjectNode)
                    new ObjectMapper()
                        .readTree(
                            """
                            {"model_type": "gemma3", "text_config": {"model_type": "gemma3_text", "hidden_size": 2560, "num_hidden_layers": 34,
                             "sliding_window": 1024, "rope_scaling": {"rope_type": "linear", "factor": 8.0}}}\
                            """)));
    assertThat(shape.attention()).isEqualTo(new DecoderShape.Attention(8, 4, 256, 1.0 / 16, 0));
    assertThat(shape.activation()).isEqualTo(Activation.GELU_TANH);
    assertThat(shape.layers().stream().map(DecoderShape.Layer::window).toList().subList(0, 7))
        .containsExactly(1024, 1024, 1024, 1024, 1024, DecoderShape.ALL, 1024);
    assertThat(cosine(shape, 0)).isEqualTo(turned(1e4, 1));
    assertThat(cosine(shape, 5)).isEqualTo(turned(1e6, 8));
    DecoderShape second =
        DecoderShapes.of(
            ModelConfig.of(
                (ObjectNode)
                    new ObjectMapper()
                        .readTree(
                            """
                            {"model_type": "gemma2", "hidden_size": 2304, "num_hidden_layers": 2, "num_attention_heads": 8,
                             "num_key_value_heads": 4}\
                            """)));
    assertThat(second.attention()).isEqualTo(new DecoderShape.Attention(8, 4, 256, 1.0 / 16, 50));
    assertThat(second.vocabulary().logitCap()).isEqualTo(30);
    assertThat(second.layers())
        .extracting(DecoderShape.Layer::window)
        .containsExactly(4096, DecoderShape.ALL);
  }

  @Test
  void newFilesHaveRotaryParametersInOnePlace() throws JsonProcessingException {
    DecoderShape plain =
        DecoderShapes.of(
            ModelConfig.of(
                config(
                    "qwen3",
                    """
                    {"rope_parameters": {"rope_theta": 5000000, "rope_type": "default"}}\
                    """)));
    assertThat(cosine(plain, 0, 5, 1)).isEqualTo((float) Math.cos(5 * Math.pow(5e6, -2.0 / 16)));
    DecoderShape gemma =
        DecoderShapes.of(
            ModelConfig.of(
                config(
                    "gemma3_text",
                    """
                    {"head_dim": 256, "rope_parameters": {
                      "full_attention": {"rope_theta": 1000000, "rope_type": "linear", "factor": 8},
                      "sliding_attention": {"rope_theta": 10000, "rope_type": "default"}}}\
                    """)));
    assertThat(cosine(gemma, 0)).isEqualTo(turned(1e4, 1));
    assertThat(cosine(gemma, 1)).isEqualTo(turned(1e6, 8));
  }

  @Test
  void scalingThatIsSaidTwiceIsKnown() throws JsonProcessingException {
    DecoderShape shape =
        DecoderShapes.of(
            ModelConfig.of(
                config(
                    "gemma3_text",
                    """
                    {"head_dim": 256, "rope_parameters": {"rope_theta": 1000000, "rope_type": "linear", "factor": 8},
                     "rope_scaling": {"type": "linear", "factor": 8.0}}\
                    """)));
    assertThat(cosine(shape, 1)).isEqualTo(turned(1e6, 8));
  }

  private static float turned(double theta, double factor) {
    return (float) Math.cos(9 * (Math.pow(theta, -2.0 * 3 / 256) / factor));
  }

  private static float cosine(DecoderShape shape, int layer) {
    return cosine(shape, layer, 9, 3);
  }

  private static float cosine(DecoderShape shape, int layer, int position, int pair) {
    try (Arena arena = Arena.ofConfined()) {
      return shape
          .layers()
          .get(layer)
          .rotary()
          .table(arena, position + 1)
          .cosines()
          .get(position, pair);
    }
  }

  @Test
  void layersOfQwenSlideFromTheOneThatIsNamed() throws JsonProcessingException {
    String sliding =
        "{\"use_sliding_window\": true, \"sliding_window\": 8, \"max_window_layers\": %d}";
    assertThat(windows("qwen2", sliding.formatted(0))).containsExactly(8, 8);
    assertThat(windows("qwen2", sliding.formatted(1))).containsExactly(DecoderShape.ALL, 8);
    assertThat(windows("qwen2", "{\"sliding_window\": 8, \"max_window_layers\": 0}"))
        .containsExactly(DecoderShape.ALL, DecoderShape.ALL);
  }

  @Test
  void layersOfQwensMixturesSlideByOtherRules() throws JsonProcessingException {
    String sliding =
        "{\"num_hidden_layers\": 4, \"use_sliding_window\": true, \"sliding_window\": 8,"
            + " \"max_window_layers\": %d}";
    int all = DecoderShape.ALL;
    assertThat(windows("qwen2_moe", sliding.formatted(4))).containsExactly(8, all, 8, all);
    assertThat(windows("qwen2_moe", sliding.formatted(2))).containsExactly(8, all, all, all);
    assertThat(windows("qwen3_moe", sliding.formatted(2))).containsExactly(8, 8, 8, 8);
    assertThat(windows("qwen3_moe", "{\"sliding_window\": 8}")).containsExactly(all, all);
  }

  private static List<Integer> windows(String family, String change)
      throws JsonProcessingException {
    return DecoderShapes.of(ModelConfig.of(config(family, change))).layers().stream()
        .map(DecoderShape.Layer::window)
        .toList();
  }

  private static ObjectNode config(String family, String change) throws JsonProcessingException {
    ObjectNode config = FamilyShapes.of(family).configObject();
    config.setAll((ObjectNode) new ObjectMapper().readTree(change));
    return config;
  }
}

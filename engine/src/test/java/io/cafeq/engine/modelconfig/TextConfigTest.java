package io.cafeq.engine.modelconfig;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.cafeq.engine.family.ModelDescription;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** One reading for the many ways in which files say the same of a text model. */
class TextConfigTest {
  private static final String TEXT =
      "{\"model_type\": \"llama\", \"num_hidden_layers\": 2, \"num_attention_heads\": 4,"
          + " \"hidden_size\": 64}";

  private static TextConfig of(String json) throws JsonProcessingException {
    return TextConfig.of(new ObjectMapper().readTree(json));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "%s",
        "{\"model_type\": \"a\", \"text_config\": %s, \"vision_config\": {\"num_hidden_layers\":"
            + " 9}}",
        "{\"model_type\": \"a\", \"vision_config\": {\"num_hidden_layers\": 9, \"hidden_size\": 8},"
            + " \"llm_config\": %s}",
        "{\"model_type\": \"a\", \"language_config\": %s}",
        "{\"model_type\": \"a\", \"thinker_config\": {\"audio_config\": {\"num_layers\": 9},"
            + " \"text_config\": %s}}",
        "{\"model_type\": \"a\", \"encoder\": {\"num_hidden_layers\": 9}, \"decoder\": %s}",
        "{\"model_type\": \"a\", \"audio_encoder\": {\"num_hidden_layers\": 9},"
            + " \"my_language_part\": %s}"
      })
  void theSectionIsFoundUnderAnyName(String file) throws JsonProcessingException {
    TextConfig config = of(file.formatted(TEXT));
    assertThat(config.layers()).hasValue(2);
    assertThat(config.headSize()).hasValue(16);
    assertThat(config.modelTypes()).last().isEqualTo("llama");
    assertThat(
            ModelDescription.of(
                    ModelConfig.of(new ObjectMapper().readTree(file.formatted(TEXT))), Map.of())
                .family()
                .name())
        .isEqualTo("llama");
  }

  @Test
  void whatTheSectionLeavesOutIsThatOfTheFile() throws JsonProcessingException {
    TextConfig config =
        of(
            """
            {"model_type": "a", "vocab_size": 100, "bos_token_id": 5, "eos_token_id": 6, "sliding_window": 8,
             "rope_parameters": {"rope_theta": 5}, "num_hidden_layers": 7,
             "text_config": {"num_hidden_layers": 2, "eos_token_id": 9, "bos_token_id": null, "sliding_window": null},
             "vision_config": {"hidden_size": 3}}\
            """);
    assertThat(config.node().path("vocab_size").asInt()).isEqualTo(100);
    assertThat(config.node().path("rope_parameters").path("rope_theta").asInt()).isEqualTo(5);
    assertThat(config.layers()).hasValue(2);
    assertThat(config.node().path("eos_token_id").asInt()).isEqualTo(9);
    assertThat(config.node().path("bos_token_id").asInt()).isEqualTo(5);
    assertThat(config.node().path("sliding_window").isNull()).isTrue();
    assertThat(config.node().has("vision_config")).isFalse();
    assertThat(config.place("vocab_size")).isEqualTo("vocab_size");
    assertThat(config.place("eos_token_id")).isEqualTo("text_config.eos_token_id");
    assertThat(config.place("head_dim")).isEqualTo("text_config.head_dim");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "{'tie_word_embeddings': true, 'text_config': {'tie_word_embeddings': false}}; true;"
            + " tie_word_embeddings",
        "{'tie_word_embeddings': false, 'text_config': {'tie_word_embeddings': true}}; true;"
            + " text_config.tie_word_embeddings",
        "{'tie_word_embeddings': false, 'text_config': {'hidden_size': 1}}; false;"
            + " tie_word_embeddings",
        "{'text_config': {'tie_word_embeddings': false}}; false; text_config.tie_word_embeddings"
      })
  void embeddingsAreTiedWhereAnyPartSaysSo(String file, boolean tied, String place)
      throws JsonProcessingException {
    TextConfig config = of(file.replace('\'', '"'));
    assertThat(config.node().path("tie_word_embeddings").asBoolean(!tied)).isEqualTo(tied);
    assertThat(config.place("tie_word_embeddings")).isEqualTo(place);
  }

  @ParameterizedTest
  @CsvSource({
    "num_hidden_layers, n_layer",
    "num_hidden_layers, num_layers",
    "num_attention_heads, n_head",
    "num_key_value_heads, num_kv_heads",
    "num_experts, num_local_experts",
    "num_experts, n_routed_experts",
    "num_experts_per_tok, moe_topk",
    "hidden_size, n_embd",
    "max_position_embeddings, n_positions",
    "rope_theta, rotary_emb_base",
    "rms_norm_eps, norm_eps",
    "partial_rotary_factor, rotary_pct"
  })
  void otherNamesOfAKey(String key, String other) throws JsonProcessingException {
    TextConfig renamed = of("{\"" + other + "\": 7}");
    assertThat(renamed.node().path(key).asInt()).isEqualTo(7);
    assertThat(renamed.place(key)).isEqualTo(other);
    TextConfig both = of("{\"" + other + "\": 7, \"" + key + "\": 8}");
    assertThat(both.node().path(key).asInt()).isEqualTo(8);
    TextConfig inner = of("{\"" + key + "\": 8, \"text_config\": {\"" + other + "\": 7}}");
    assertThat(inner.node().path(key).asInt()).isEqualTo(7);
    assertThat(inner.place(key)).isEqualTo("text_config." + other);
    assertThat(of("{\"" + key + "\": null, \"" + other + "\": 7}").node().path(key).asInt())
        .isEqualTo(7);
  }

  @Test
  void layerTypesNewAndOld() throws JsonProcessingException {
    String local = "sliding_attention";
    String full = "full_attention";
    assertThat(
            of("{\"layer_types\": [\"" + full + "\", \"x\"], \"sliding_window_pattern\": 2}")
                .layerTypes())
        .contains(List.of(full, "x"));
    assertThat(of("{\"num_hidden_layers\": 5, \"sliding_window_pattern\": 3}").layerTypes())
        .contains(List.of(local, local, full, local, local));
    assertThat(of("{\"num_hidden_layers\": 5, \"_sliding_window_pattern\": 2}").layerTypes())
        .contains(List.of(local, full, local, full, local));
    assertThat(of("{\"num_hidden_layers\": 5, \"sliding_window_pattern\": \"LLG\"}").layerTypes())
        .contains(List.of(local, local, full, local, local));
    assertThat(of("{\"num_hidden_layers\": 5}").layerTypes()).isEmpty();
  }

  @Test
  void absurdNestingEnds() throws JsonProcessingException {
    String file =
        String.join("", Collections.nCopies(200, "{\"text_config\": ")) + TEXT + "}".repeat(200);
    assertThat(of(file).layers()).isEmpty();
  }
}

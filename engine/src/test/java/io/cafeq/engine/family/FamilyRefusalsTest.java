package io.cafeq.engine.family;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.family.Coupling.Kind;
import io.cafeq.engine.family.ModelFamily.Couplings;
import io.cafeq.engine.modelconfig.ModelConfig;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Where pairs are not legal, and what is said of it. */
class FamilyRefusalsTest {
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "qwen3_next|Layer 0 has no value-output pair: the attention is linear.",
        "qwen3_next|Layer 1 has no value-output pair: there is a gate between the attention and"
            + " o_proj.",
        "bitnet|Layers 0 and 1 have no value-output pairs: there is a norm between the attention"
            + " and o_proj.",
        "gemma3n|Layers 0 and 1 have no value-output pairs: values are normalised by themselves, so"
            + " only rotations could be moved."
      })
  void someFamiliesHaveNoPairs(String name, String sentence) {
    Couplings couplings = couplings(FamilyShapes.of(name));
    assertThat(couplings.legal()).isEmpty();
    assertThat(couplings.refused()).contains(sentence);
  }

  @Test
  void anUnknownFamilyHasNoPairs() {
    FamilyShapes shapes = FamilyShapes.of("llama");
    Couplings couplings =
        couplings(shapes.configObject().put("model_type", "new_model"), shapes.headers());
    assertThat(couplings.legal()).isEmpty();
    assertThat(couplings.refused()).isEmpty();
  }

  /** A head too few or too many in the configuration, which is never made to fit. */
  @ParameterizedTest
  @CsvSource({
    "llama, head_dim, 8",
    "llama, num_attention_heads, 8",
    "llama, num_key_value_heads, 4",
    "llama, num_key_value_heads, 3",
    "qwen3, head_dim, 32",
    "gemma, num_key_value_heads, 2",
    "phi3, head_dim, 32",
    "phi3, num_key_value_heads, 4",
    "phi3, num_attention_heads, 8",
    "phi3, num_key_value_heads, 3",
    "gpt2, n_head, 7",
    "gpt2, n_embd, 128",
    "gpt_neox, hidden_size, 32",
    "gpt_neox, num_attention_heads, 7",
    "bert, hidden_size, 128",
    "distilbert, dim, 32",
    "deepseek_v2, v_head_dim, 8",
    "deepseek_v2, qk_nope_head_dim, 8",
    "deepseek_v2, qk_rope_head_dim, 16",
    "deepseek_v2, num_attention_heads, 2",
    "deepseek_v3, v_head_dim, 32",
    "gpt_oss, head_dim, 64"
  })
  void aConfigurationThatTheShapesContradictHasNoPairs(String name, String key, int value) {
    FamilyShapes shapes = FamilyShapes.of(name);
    ObjectNode config = shapes.configObject().put(key, value);
    Couplings couplings = couplings(config, shapes.headers());
    assertThat(couplings.legal()).isEmpty();
    assertThat(couplings.refused())
        .isNotEmpty()
        .first()
        .asString()
        .startsWith("Layers 0 and 1 have no value-output pairs: ")
        .containsAnyOf("were expected", "was expected", "do not tell the heads");
  }

  @ParameterizedTest
  @CsvSource({
    "llama, head_dim, 2000000000",
    "llama, num_attention_heads, -4",
    "llama, num_key_value_heads, 2.0",
    "llama, head_dim, 0",
    "llama, num_key_value_heads, '[2, 2]'",
    "deepseek_v2, v_head_dim, '\"16\"'"
  })
  void whatIsNoNumberOfHeadsForbidsPairs(String name, String key, String value) throws Exception {
    FamilyShapes shapes = FamilyShapes.of(name);
    ObjectNode config = shapes.configObject();
    config.set(key, new ObjectMapper().readTree(value));
    Couplings couplings = couplings(config, shapes.headers());
    assertThat(couplings.legal()).isEmpty();
    assertThat(couplings.refused())
        .contains(
            "Layers 0 and 1 have no value-output pairs: config.json's "
                + key
                + " is no number of heads or channels.");
  }

  @Test
  void whatTheConfigurationDoesNotTellIsNotGuessed() {
    FamilyShapes shapes = FamilyShapes.of("llama");
    ObjectNode config = shapes.configObject();
    config.remove(List.of("head_dim", "num_attention_heads"));
    assertThat(couplings(config, shapes.headers()).refused())
        .containsExactly(
            "Layers 0 and 1 have no value-output pairs: config.json and the shapes do not tell the"
                + " heads.");
    config.putNull("head_dim").put("num_attention_heads", 4);
    assertThat(couplings(config, shapes.headers())).isEqualTo(couplings(shapes));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "llama|model.layers.1.self_attn.v_proj.weight|24 64|self_attn.v_proj.weight has 24 output"
            + " channels, and by config.json 32 were expected",
        "llama|model.layers.1.self_attn.o_proj.weight|64 48|self_attn.o_proj.weight has 48 input"
            + " channels, and by config.json 64 were expected",
        "llama|model.layers.1.self_attn.q_proj.weight|128 64|self_attn.q_proj.weight has 128 output"
            + " channels, and by config.json 64 were expected",
        "llama|model.layers.1.self_attn.v_proj.weight|32 64 1|self_attn.v_proj.weight is no matrix",
        "qwen2|model.layers.1.self_attn.v_proj.bias|16|self_attn.v_proj.bias has the shape [16],"
            + " and [32] was expected",
        "qwen2|model.layers.1.self_attn.v_proj.bias|32 1|self_attn.v_proj.bias has the shape [32,"
            + " 1], and [32] was expected",
        "gpt_oss|model.layers.1.self_attn.k_proj.weight|16 64|self_attn.k_proj.weight has 16 output"
            + " channels, and by config.json 32 were expected",
        "phi3|model.layers.1.self_attn.qkv_proj.weight|192 64|self_attn.qkv_proj.weight has 192"
            + " output channels, and by config.json 128 were expected"
      })
  void wrongShapesAreSaid(String name, String tensor, String shape, String reason) {
    FamilyShapes shapes = FamilyShapes.of(name);
    Map<String, TensorInfo> headers = shapes.headers();
    reshape(headers, tensor, Arrays.stream(shape.split(" ")).mapToLong(Long::parseLong).toArray());
    Couplings couplings = couplings(shapes.configObject(), headers);
    assertThat(couplings.legal())
        .singleElement()
        .satisfies(legal -> assertThat(legal.left()).contains(".0."));
    assertThat(couplings.refused())
        .containsExactly("Layer 1 has no value-output pair: " + reason + ".");
  }

  @Test
  void gpt2sMatricesAreReadTransposed() {
    FamilyShapes shapes = FamilyShapes.of("gpt2");
    Map<String, TensorInfo> headers = shapes.headers();
    headers
        .keySet()
        .removeIf(
            name ->
                name.startsWith("h.0.")
                    && !name.contains("c_attn.weight")
                    && !name.contains("c_proj"));
    reshape(headers, "h.0.attn.c_attn.weight", 192, 64);
    assertThat(couplings(shapes.configObject(), headers).refused())
        .containsExactly(
            "Layer 0 has no value-output pair: attn.c_attn.weight has 64 output channels, and by"
                + " config.json 192 were expected.",
            "Layer 0 has no query-key pair: attn.c_attn.weight has 64 output channels, and by"
                + " config.json 192 were expected.");
  }

  /** A bias has an entry for each output, which settles how the matrix is stored. */
  @Test
  void aBiasTellsThatGpt2sMatrixIsStoredAsOthersAre() {
    FamilyShapes shapes = FamilyShapes.of("gpt2");
    Map<String, TensorInfo> headers = shapes.headers();
    reshape(headers, "h.0.attn.c_attn.weight", 192, 64);
    assertThat(couplings(shapes.configObject(), headers).refused()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({
    "llama, self_attn.v_proj.weight",
    "llama, self_attn.o_proj.weight",
    "llama, self_attn.q_proj.weight",
    "phi3, self_attn.qkv_proj.weight",
    "deepseek_v2, self_attn.kv_b_proj.weight",
    "deepseek_v2, self_attn.o_proj.weight"
  })
  void missingTensorsAreSaid(String name, String tensor) {
    FamilyShapes shapes = FamilyShapes.of(name);
    Map<String, TensorInfo> headers = shapes.headers();
    headers.keySet().removeIf(key -> key.endsWith(".layers.1." + tensor));
    Couplings couplings = couplings(shapes.configObject(), headers);
    assertThat(couplings.legal())
        .filteredOn(coupling -> coupling.kind() == Kind.VALUE_OUTPUT)
        .hasSize(1);
    assertThat(couplings.refused())
        .contains("Layer 1 has no value-output pair: " + tensor + " is missing.");
  }

  @Test
  void aLayerWithoutAttentionHasNothingToPair() {
    FamilyShapes shapes = FamilyShapes.of("llama");
    Map<String, TensorInfo> headers = shapes.headers();
    headers.keySet().removeIf(key -> key.contains(".layers.1.self_attn."));
    Couplings couplings = couplings(shapes.configObject(), headers);
    assertThat(couplings.legal()).hasSize(1);
    assertThat(couplings.refused()).isEmpty();
  }

  /** What nobody has looked at may be a norm or a gate. */
  @ParameterizedTest
  @CsvSource({
    "llama, model.layers.0., self_attn.attn_sub_norm.weight",
    "llama, model.layers.0., self_attn.g_proj.weight",
    "qwen3, model.layers.0., self_attn.v_norm.weight",
    "llama, model.layers.0., self_attn.v_scale",
    "deepseek_v3, model.layers.0., self_attn.indexer.wk.weight",
    "bert, bert.encoder.layer.0., attention.self.gate.weight",
    "gpt_neox, gpt_neox.layers.0., attention.norm.weight"
  })
  void strangersInTheAttentionForbidPairs(String name, String layer, String stranger) {
    FamilyShapes shapes = FamilyShapes.of(name);
    Map<String, TensorInfo> headers = shapes.headers();
    headers.put(layer + stranger, headers.values().iterator().next());
    Couplings couplings = couplings(shapes.configObject(), headers);
    assertThat(couplings.legal())
        .noneMatch(coupling -> coupling.left().startsWith(layer))
        .isNotEmpty();
    assertThat(couplings.refused())
        .anyMatch(
            sentence ->
                sentence.equals(
                    "Layer 0 has no value-output pair: what "
                        + stranger
                        + " does in the attention is unknown."));
  }

  /**
   * What quantizers put beside matrices, and one number for a cache, change nothing between V and
   * O.
   */
  @ParameterizedTest
  @CsvSource({
    "v_scale",
    "attn.k_scale",
    "kv_scale",
    "v_proj.weight_scale",
    "o_proj.input_scale",
    "q_proj.activation_scale",
    "k_proj.weight_zero_point",
    "o_proj.weight_g_idx",
    "v_proj.weight_shape",
    "v_proj.output_scale",
    "v_proj.scale",
    "o_proj.weight_scale_2",
    "v_proj.weight_global_scale",
    "o_proj.input_global_scale"
  })
  void scalesInTheAttentionForbidNothing(String scale) {
    FamilyShapes shapes = FamilyShapes.of("llama");
    Map<String, TensorInfo> headers = shapes.headers();
    String name = "model.layers.0.self_attn." + scale;
    headers.put(name, new TensorInfo(name, Dtype.F32, List.of(), "f", 0, 4));
    assertThat(couplings(shapes.configObject(), headers).legal())
        .anyMatch(coupling -> coupling.left().startsWith("model.layers.0."));
  }

  @ParameterizedTest
  @CsvSource({
    "attn_output_gate, true, gates the attention",
    "use_gated_attention, true, gates the attention",
    "num_kv_shared_layers, 1, lets other layers read the values too"
  })
  void theConfigurationMayForbidPairs(String key, String value, String reason) throws Exception {
    FamilyShapes shapes = FamilyShapes.of("qwen3_moe");
    ObjectNode config = shapes.configObject();
    config.set(key, new ObjectMapper().readTree(value));
    Couplings couplings = couplings(config, shapes.headers());
    assertThat(couplings.legal()).isEmpty();
    assertThat(couplings.refused())
        .containsExactly(
            "Layers 0 and 1 have no value-output pairs: config.json's " + key + " " + reason + ".");
    assertThat(couplings(shapes.configObject().put(key, 0), shapes.headers()).legal()).hasSize(2);
  }

  @Test
  void aNormForbidsQueryKeyPairs() {
    FamilyShapes shapes = FamilyShapes.of("llama4");
    Map<String, TensorInfo> headers = shapes.headers();
    String name = "language_model.model.layers.1.self_attn.k_norm.weight";
    headers.put(name, headers.values().iterator().next());
    assertThat(couplings(shapes.configObject(), headers).refused())
        .contains("Layer 1 has no query-key pair: there is a norm between queries and keys.");
  }

  private static void reshape(Map<String, TensorInfo> headers, String name, long... shape) {
    TensorInfo info = Objects.requireNonNull(headers.get(name));
    headers.put(
        name,
        new TensorInfo(
            name,
            info.dtype(),
            Arrays.stream(shape).boxed().toList(),
            info.file(),
            info.position(),
            Arrays.stream(shape).reduce(1, (a, b) -> a * b) * info.dtype().bytes()));
  }

  private static Couplings couplings(FamilyShapes shapes) {
    return couplings(shapes.configObject(), shapes.headers());
  }

  private static Couplings couplings(ObjectNode config, Map<String, TensorInfo> tensors) {
    return ModelDescription.of(ModelConfig.of(config), CouplingsBridge.shapes(tensors))
        .family()
        .couplings(tensors);
  }
}

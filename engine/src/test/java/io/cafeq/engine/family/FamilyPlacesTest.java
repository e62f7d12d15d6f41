package io.cafeq.engine.family;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.family.ModelFamily.Place;
import io.cafeq.engine.modelconfig.ModelConfig;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.FieldSource;

class FamilyPlacesTest {
  /** Matrices that are neither quantized nor left alone for a reason that their names tell. */
  private static final Set<String> UNNAMED =
      Set.of(
          "transform.dense",
          "vocab_transform",
          "in_proj_ba",
          "vision_",
          "multi_modal_projector",
          "audio_tower",
          "laurel",
          "per_layer",
          "prediction_coefs",
          "layers.2.");

  /**
   * model_type, name, role, and what stands after the layer's number in the texts for input and
   * experts.
   */
  private static final List<String> NAMES =
      """
      llama       model.layers.7.self_attn.q_proj.weight                  q_proj         self_attn  -
      llama       model.layers.7.self_attn.k_proj.weight                  k_proj         self_attn  -
      llama       model.layers.7.self_attn.v_proj.weight                  v_proj         self_attn  -
      llama       model.layers.7.self_attn.o_proj.weight                  o_proj         -          -
      llama       model.layers.7.mlp.gate_proj.weight                     gate_proj      mlp        -
      llama       model.layers.7.mlp.up_proj.weight                       up_proj        mlp        -
      llama       model.layers.7.mlp.down_proj.weight                     down_proj      -          -
      llama       model.layers.7.mlp.gate.weight                          router         -          -
      llama       model.layers.7.self_attn.rotary_emb.inv_freq            other          -          -
      mistral     model.layers.7.mlp.up_proj.weight                       up_proj        mlp        -
      qwen2       model.layers.7.self_attn.v_proj.bias                    bias           -          -
      qwen2_vl    model.layers.7.self_attn.v_proj.weight                  v_proj         self_attn  -
      qwen2_5_vl  model.language_model.layers.7.mlp.gate_proj.weight      gate_proj      mlp        -
      qwen2_5_vl  visual.blocks.7.mlp.gate_proj.weight                    other          -          -
      qwen3       model.layers.7.self_attn.q_norm.weight                  norm           -          -
      gemma2      model.layers.7.pre_feedforward_layernorm.weight         norm           -          -
      gemma3      language_model.layers.7.mlp.up_proj.weight              up_proj        mlp        -
      gemma3      vision_tower.encoder.layers.7.self_attn.q_proj.weight   other          -          -
      gemma3n     model.language_model.layers.7.altup.modality_router.weight router      -          -
      phi3        model.layers.7.self_attn.qkv_proj.weight                qkv_proj       self_attn  -
      phi3        model.layers.7.mlp.gate_up_proj.weight                  gate_up_proj   mlp        -
      phi3        model.layers.7.mlp.down_proj.weight                     down_proj      -          -
      gpt_neox    gpt_neox.layers.7.attention.query_key_value.weight      qkv_proj       attention  -
      gpt_neox    gpt_neox.layers.7.attention.dense.weight                o_proj         -          -
      gpt_neox    gpt_neox.layers.7.mlp.dense_h_to_4h.weight              up_proj        mlp        -
      gpt_neox    gpt_neox.layers.7.mlp.dense_4h_to_h.weight              down_proj      -          -
      gpt_neox    gpt_neox.layers.7.attention.masked_bias                 bias           -          -
      bert        bert.encoder.layer.7.attention.self.query.weight        q_proj  attention.self    -
      bert        encoder.layer.7.attention.self.value.weight             v_proj  attention.self    -
      roberta     roberta.encoder.layer.7.attention.output.dense.weight   o_proj         -          -
      xlm-roberta roberta.encoder.layer.7.intermediate.dense.weight       up_proj   intermediate    -
      electra     electra.encoder.layer.7.output.dense.weight             down_proj      -          -
      camembert   roberta.encoder.layer.7.attention.self.key.weight       k_proj  attention.self    -
      bert        bert.encoder.layer.7.crossattention.self.key.weight     other          -          -
      bert        bert.encoder.layer.7.output.LayerNorm.beta              bias           -          -
      distilbert  distilbert.transformer.layer.7.attention.k_lin.weight   k_proj    attention       -
      distilbert  transformer.layer.7.attention.out_lin.weight            o_proj         -          -
      distilbert  distilbert.transformer.layer.7.ffn.lin1.weight          up_proj        ffn        -
      distilbert  distilbert.transformer.layer.7.ffn.lin2.weight          down_proj      -          -
      mixtral     model.layers.7.block_sparse_moe.gate.weight             router         -          -
      mixtral     model.layers.7.block_sparse_moe.experts.12.w1.weight    gate_proj \
      block_sparse_moe.experts block_sparse_moe.experts
      mixtral     model.layers.7.block_sparse_moe.experts.0.w3.weight     up_proj \
      block_sparse_moe.experts block_sparse_moe.experts
      mixtral     model.layers.7.block_sparse_moe.experts.0.w2.weight     down_proj - block_sparse_moe.experts
      qwen2_moe   model.layers.7.mlp.gate.weight                          router         -          -
      qwen2_moe   model.layers.7.mlp.shared_expert_gate.weight            router         -          -
      qwen2_moe   model.layers.7.mlp.shared_expert.gate_proj.weight       gate_proj mlp.shared_expert -
      qwen2_moe   model.layers.7.mlp.shared_expert.down_proj.weight       down_proj      -          -
      qwen2_moe   model.layers.7.mlp.experts.59.gate_proj.weight          gate_proj mlp.experts mlp.experts
      qwen3_moe   model.layers.7.mlp.experts.3.up_proj.weight             up_proj   mlp.experts mlp.experts
      qwen3_moe   model.layers.7.mlp.experts.3.down_proj.weight           down_proj      -      mlp.experts
      qwen3_moe   model.layers.7.mlp.gate_proj.weight                     gate_proj      mlp        -
      deepseek_v2 model.layers.7.self_attn.q_proj.weight                  q_proj         self_attn  -
      deepseek_v3 model.layers.7.self_attn.q_a_proj.weight                q_a_proj       self_attn  -
      deepseek_v3 model.layers.7.self_attn.kv_a_proj_with_mqa.weight      kv_a_proj      self_attn  -
      deepseek_v3 model.layers.7.self_attn.q_b_proj.weight                q_b_proj       -          -
      deepseek_v3 model.layers.7.self_attn.kv_b_proj.weight               kv_b_proj      -          -
      deepseek_v3 model.layers.7.self_attn.o_proj.weight                  o_proj         -          -
      deepseek_v3 model.layers.7.self_attn.kv_a_layernorm.weight          norm           -          -
      deepseek_v3 model.layers.7.self_attn.o_proj.weight_scale_inv        scale          -          -
      deepseek_v3 model.layers.7.mlp.shared_experts.up_proj.weight        up_proj mlp.shared_experts -
      deepseek_v3 model.layers.7.mlp.gate.e_score_correction_bias         bias           -          -
      deepseek_v3 model.layers.7.mlp.gate.weight                          router         -          -
      llama4      language_model.model.layers.7.feed_forward.router.weight router        -          -
      llama4      model.layers.7.feed_forward.gate_proj.weight            gate_proj   feed_forward  -
      llama4      model.layers.7.feed_forward.shared_expert.up_proj.weight up_proj feed_forward.shared_expert -
      llama4_text model.layers.7.feed_forward.experts.gate_up_proj        gate_up_proj \
      feed_forward.experts feed_forward.experts
      llama4_text model.layers.7.feed_forward.experts.down_proj           down_proj - feed_forward.experts
      llama4      vision_model.model.layers.7.self_attn.v_proj.weight     other          -          -
      gpt_oss     model.layers.7.mlp.router.weight                        router         -          -
      gpt_oss     model.layers.7.mlp.router.bias                          bias           -          -
      gpt_oss     model.layers.7.self_attn.sinks                          other          -          -
      gpt_oss     model.layers.7.mlp.experts.gate_up_proj_bias            bias           -          -
      gpt_oss     model.layers.7.mlp.experts.gate_up_proj                 gate_up_proj mlp.experts mlp.experts
      gpt_oss     model.layers.7.mlp.experts.gate_up_proj_blocks          gate_up_proj mlp.experts mlp.experts
      gpt_oss     model.layers.7.mlp.experts.down_proj_blocks             down_proj    -           mlp.experts
      gpt_oss     model.layers.7.mlp.experts.down_proj_scales             scale          -          -
      qwen3_next  model.layers.7.linear_attn.in_proj_qkvz.weight          mixer_in_proj  linear_attn -
      qwen3_next  model.layers.7.linear_attn.out_proj.weight              mixer_out_proj -          -
      qwen3_next  model.layers.7.linear_attn.norm.weight                  norm           -          -
      qwen3_next  mtp.layers.0.self_attn.q_proj.weight                    other          -          -
      bitnet      model.layers.7.self_attn.attn_sub_norm.weight           norm           -          -
      """
          .lines()
          .toList();

  @ParameterizedTest
  @FieldSource("NAMES")
  void names(String line) {
    String[] parts = line.split(" +");
    String name = parts[1];
    Place place =
        ModelDescription.of(ModelConfig.of(config(parts[0])), Map.of()).family().place(name);
    String layer = name.replaceFirst("(?<=\\.7\\.).*", "");
    assertThat(place.role().text()).isEqualTo(parts[2]);
    assertThat(place.input())
        .isEqualTo(Optional.of(parts[3]).filter(text -> !text.equals("-")).map(layer::concat));
    assertThat(place.experts())
        .isEqualTo(Optional.of(parts[4]).filter(text -> !text.equals("-")).map(layer::concat));
  }

  @ParameterizedTest
  @CsvSource({
    "gpt2, h.0.attn.c_attn.weight, true",
    "gpt2, transformer.h.0.attn.c_proj.weight, true",
    "gpt2, h.0.mlp.c_fc.weight, true",
    "gpt2, h.0.mlp.c_proj.weight, true",
    "gpt2, h.0.attn.c_attn.bias, false",
    "gpt2, wte.weight, false",
    "llama4, model.layers.1.feed_forward.experts.gate_up_proj, true",
    "llama4, model.layers.1.feed_forward.experts.down_proj, true",
    "llama4, model.layers.0.feed_forward.down_proj.weight, false",
    "gpt_oss, model.layers.0.mlp.experts.gate_up_proj, true",
    "gpt_oss, model.layers.0.mlp.experts.down_proj, true",
    "gpt_oss, model.layers.0.mlp.experts.gate_up_proj_blocks, false",
    "gpt_oss, model.layers.0.mlp.experts.down_proj_blocks, false",
    "phi3, model.layers.0.mlp.down_proj.weight, false"
  })
  void someAreStoredTransposed(String modelType, String name, boolean transposed) {
    assertThat(
            ModelDescription.of(ModelConfig.of(config(modelType)), Map.of())
                .family()
                .place(name)
                .transposed())
        .isEqualTo(transposed);
  }

  @ParameterizedTest
  @CsvSource({
    "llama, model.embed_tokens.weight, lm_head.weight",
    "gpt2, wte.weight, lm_head.weight",
    "gpt2, transformer.wpe.weight, lm_head.weight",
    "gpt_neox, gpt_neox.embed_in.weight, embed_out.weight",
    "bert, bert.embeddings.word_embeddings.weight, cls.predictions.decoder.weight",
    "roberta, embeddings.position_embeddings.weight, lm_head.decoder.weight",
    "distilbert, distilbert.embeddings.word_embeddings.weight, vocab_projector.weight",
    "llama4, language_model.model.embed_tokens.weight, language_model.lm_head.weight"
  })
  void embeddingsAndHeads(String modelType, String embedding, String head) {
    ModelFamily family = ModelDescription.of(ModelConfig.of(config(modelType)), Map.of()).family();
    assertThat(family.place(embedding)).isEqualTo(Place.of(Role.EMBEDDING));
    assertThat(family.place(head)).isEqualTo(Place.of(Role.HEAD));
  }

  @ParameterizedTest
  @FieldSource("io.cafeq.engine.family.FamilyShapes#NAMES")
  void everyMatrixOfAFamilyIsNamed(String name) {
    FamilyShapes shapes = FamilyShapes.of(name);
    ModelFamily family =
        ModelDescription.of(ModelConfig.of(shapes.configObject()), shapes.shapes()).family();
    assertThat(family).isInstanceOf(KnownModel.class);
    assertThat(shapes.headers().values())
        .filteredOn(TensorInfo::isMatrix)
        .filteredOn(info -> family.place(info.name()).role() == Role.OTHER)
        .allMatch(info -> UNNAMED.stream().anyMatch(info.name()::contains));
    assertThat(shapes.headers().keySet())
        .filteredOn(tensor -> family.place(tensor).role().isLinear())
        .hasSizeGreaterThan(7)
        .noneMatch(
            tensor ->
                tensor.endsWith("bias") || tensor.contains("norm") || tensor.contains("router"));
  }

  @ParameterizedTest
  @FieldSource("io.cafeq.engine.family.FamilyShapes#NAMES")
  void whatReadsTheSameInputHasTheSameInputChannels(String name) {
    FamilyShapes shapes = FamilyShapes.of(name);
    ModelFamily family =
        ModelDescription.of(ModelConfig.of(shapes.configObject()), shapes.shapes()).family();
    long hidden = ModelConfig.of(shapes.configObject()).text().count("hidden_size").orElseThrow();
    shapes
        .headers()
        .forEach(
            (tensor, info) -> {
              Place place = family.place(tensor);
              if (place.input().isPresent() && info.isMatrix()) {
                assertThat(place.transposed() ? info.rows() : info.columns())
                    .as(tensor)
                    .isEqualTo(Math.toIntExact(hidden));
              }
            });
  }

  @Test
  void layersBeyondTheModelsOwnAreKept() {
    ObjectNode config = config("deepseek_v3").put("num_hidden_layers", 61);
    ModelFamily family = ModelDescription.of(ModelConfig.of(config), Map.of()).family();
    assertThat(family.place("model.layers.60.self_attn.o_proj.weight").role())
        .isEqualTo(Role.ATTENTION_OUTPUT);
    assertThat(family.place("model.layers.61.self_attn.o_proj.weight"))
        .isEqualTo(Place.of(Role.OTHER));
    assertThat(family.place("model.layers.61.mlp.experts.9.up_proj.weight"))
        .isEqualTo(Place.of(Role.OTHER));
    assertThat(family.place("model.layers.61.mlp.gate.weight")).isEqualTo(Place.of(Role.ROUTER));
    assertThat(family.place("model.layers.61.shared_head.head.weight"))
        .isEqualTo(Place.of(Role.OTHER));
    assertThat(family.place("model.layers.61.embed_tokens.weight")).isEqualTo(Place.of(Role.OTHER));
  }

  @Test
  void theTextModelTellsHowManyLayersThereAre() {
    ObjectNode config = config("gemma3").put("num_hidden_layers", 5);
    config.putObject("text_config").put("model_type", "gemma3_text").put("num_hidden_layers", 9);
    assertThat(
            ModelDescription.of(ModelConfig.of(config), Map.of())
                .family()
                .place("language_model.model.layers.8.mlp.up_proj.weight")
                .role())
        .isEqualTo(Role.UP);
  }

  @Test
  void theOrderOfRolesMakesReadableIds() {
    assertThat(stacked(Role.VALUE, Role.QUERY, Role.KEY)).containsExactly("q", "k", "v");
    assertThat(stacked(Role.KEY_VALUE_COMPRESSION, Role.QUERY_COMPRESSION))
        .containsExactly("q_a", "kv_a");
    assertThat(stacked(Role.KEY_VALUE_COMPRESSION, Role.QUERY)).containsExactly("q", "kv_a");
    assertThat(stacked(Role.UP, Role.GATE)).containsExactly("gate", "up");
  }

  private static List<String> stacked(Role... roles) {
    return new TreeSet<>(List.of(roles)).stream().map(Role::shortText).toList();
  }

  private static ObjectNode config(String modelType) {
    return JsonNodeFactory.instance.objectNode().put("model_type", modelType);
  }
}

package io.cafeq.engine.plan;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.family.Role;
import io.cafeq.engine.plan.Headers.Geometry;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PlannerFamilyTest {
  private static final Geometry TINY = Geometry.TINY;

  @ParameterizedTest
  @CsvSource({
    "llama, llama",
    "mistral, mistral",
    "qwen2, qwen2",
    "qwen3, qwen3",
    "gemma, gemma",
    "gemma2, gemma2",
    "gemma3, gemma3",
    "gemma3_text, gemma3"
  })
  void decodersShareTheirInputs(String modelType, String family) {
    Plan plan = Headers.decoder(modelType, TINY).plan("transform-bits", "1");
    assertThat(plan.family()).isEqualTo(family);
    assertThat(plan.warnings()).isEmpty();
    assertThat(Headers.quantized(plan))
        .containsOnlyKeys(
            "model.layers.0.self_attn.qkv",
            "model.layers.0.self_attn.o_proj",
            "model.layers.0.mlp.gate_up",
            "model.layers.0.mlp.down_proj");
    assertThat(Headers.names(Headers.unit(plan, "model.layers.0.self_attn.qkv")))
        .containsExactly(
            "model.layers.0.self_attn.q_proj.weight",
            "model.layers.0.self_attn.k_proj.weight",
            "model.layers.0.self_attn.v_proj.weight");
    assertThat(Headers.names(Headers.unit(plan, "copied-00001")))
        .containsExactly(
            "lm_head.weight",
            "model.embed_tokens.weight",
            "model.layers.0.input_layernorm.weight",
            "model.layers.0.post_attention_layernorm.weight",
            "model.norm.weight");
  }

  @Test
  void rolesAreNamed() {
    Plan plan =
        Headers.decoder("qwen3", TINY)
            .add("model.layers.0.self_attn.q_proj.bias", 128)
            .add("model.layers.0.self_attn.q_norm.weight", 16)
            .add("model.layers.0.mlp.gate.weight", 8, 128)
            .add("model.layers.0.pre_feedforward_layernorm.weight", 128)
            .plan();
    assertThat(
            plan.units().stream()
                .flatMap(unit -> unit.tensors().stream())
                .collect(Collectors.toMap(PlannedTensor::name, PlannedTensor::role)))
        .containsEntry("model.layers.0.self_attn.q_proj.weight", Role.QUERY)
        .containsEntry("model.layers.0.self_attn.k_proj.weight", Role.KEY)
        .containsEntry("model.layers.0.self_attn.v_proj.weight", Role.VALUE)
        .containsEntry("model.layers.0.self_attn.o_proj.weight", Role.ATTENTION_OUTPUT)
        .containsEntry("model.layers.0.mlp.gate_proj.weight", Role.GATE)
        .containsEntry("model.layers.0.mlp.up_proj.weight", Role.UP)
        .containsEntry("model.layers.0.mlp.down_proj.weight", Role.DOWN)
        .containsEntry("model.embed_tokens.weight", Role.EMBEDDING)
        .containsEntry("lm_head.weight", Role.HEAD)
        .containsEntry("model.norm.weight", Role.NORM)
        .containsEntry("model.layers.0.self_attn.q_proj.bias", Role.BIAS)
        .containsEntry("model.layers.0.self_attn.q_norm.weight", Role.NORM)
        .containsEntry("model.layers.0.pre_feedforward_layernorm.weight", Role.NORM)
        .containsEntry("model.layers.0.mlp.gate.weight", Role.ROUTER);
    assertThat(plan.warnings()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "model.", "language_model.", "language_model.model.", "model.language_model."})
  void textModelsHavePrefixes(String prefix) {
    Headers headers =
        Headers.of("gemma3").embedding(prefix, TINY).layer(prefix, 7, TINY).norm(prefix, TINY);
    assertThat(Headers.quantized(headers.plan("method", "rtn", "embeddings", "8")))
        .hasSize(8)
        .containsEntry(prefix + "embed_tokens", "no transform, whole rows, zero-point, 8 bits")
        .containsEntry(
            prefix + "layers.7.self_attn.q_proj", "no transform, whole rows, zero-point, 4 bits");
  }

  @Test
  void towersAreCopiedUnlessIncluded() {
    String tower = "vision_tower.vision_model.";
    Headers headers =
        Headers.of("gemma3")
            .layer("language_model.model.", 0, TINY)
            .add(tower + "encoder.layers.0.self_attn.q_proj.weight", 64, 64)
            .add(tower + "encoder.layers.0.self_attn.k_proj.weight", 64, 64)
            .add(tower + "embeddings.position_embedding.weight", 256, 64)
            .add("multi_modal_projector.mm_input_projection_weight", 64, 128);
    Plan plan = headers.plan("embeddings", "8");
    assertThat(Headers.quantized(plan).keySet())
        .allMatch(id -> id.startsWith("language_model.model.layers.0."));
    assertThat(plan.warnings()).singleElement().asString().contains("4 tensors", "include");
    assertThat(Headers.quantized(headers.plan("include", "vision_tower.*self_attn.*")))
        .containsOnlyKeys(
            tower + "encoder.layers.0.self_attn.q_proj",
            tower + "encoder.layers.0.self_attn.k_proj");
  }

  @Test
  void theTextModelOfAMultimodalOneIsFoundByItsOwnConfiguration() {
    Headers headers = Headers.of("some_vision_model").layer("language_model.model.", 0, TINY);
    headers.config().putObject("text_config").put("model_type", "mistral");
    Plan plan = headers.plan();
    assertThat(plan.family()).isEqualTo("mistral");
    assertThat(plan.warnings()).isEmpty();
  }

  @Test
  void anUnknownFamilyIsQuantizedTensorByTensorWithAWarning() {
    Headers headers =
        Headers.decoder("mamba", TINY)
            .add("model.layers.0.mixer.in_proj.weight", 64, 32)
            .add("model.layers.0.mixer.gate.weight", 8, 64)
            .add("model.layers.0.attention.relative_attention_bias.weight", 32, 8)
            .add("model.layers.0.mixer.conv1d.weight", 64, 1, 4)
            .add("model.layers.0.mixer.A_log", 64, 16)
            .add("vision.patch_embedding.weight", 64, 48)
            .add("middle.weight", 64, 64)
            .add("classifier.weight", 10, 64);
    Plan plan = headers.plan("transform-bits", "2", "pairs", "true");
    assertThat(plan.family()).isEqualTo("unknown");
    assertThat(Headers.quantized(plan))
        .hasSize(8)
        .containsKeys(
            "model.layers.0.mixer.in_proj",
            "model.layers.0.self_attn.v_proj",
            "model.layers.0.mlp.gate_proj");
    assertThat(plan.warnings())
        .anySatisfy(warning -> assertThat(warning).contains("'mamba'", "llama", "exclude"));
    assertThat(plan.units())
        .noneMatch(unit -> unit instanceof Unit.Quantized && unit.tensors().size() > 1);
  }

  @Test
  void aConfigurationWithoutModelTypeIsUnknown() {
    Headers headers = Headers.decoder("llama", TINY);
    headers.config().removeAll();
    assertThat(headers.plan().family()).isEqualTo("unknown");
    assertThat(headers.plan().warnings())
        .anyMatch(warning -> warning.contains("names no model_type"));
  }

  @Test
  void whatIsNoFloatMatrixKeepsItsBytes() {
    Plan plan =
        Headers.of("llama")
            .add("model.layers.0.mlp.up_proj.weight", Dtype.F8_E4M3, 64, 64)
            .add("model.layers.1.mlp.up_proj.weight", 2, 2, 64, 64)
            .add("model.layers.2.mlp.up_proj.weight", 0, 64)
            .add("model.layers.3.mlp.up_proj.weight", 64, 0)
            .add("model.layers.4.mlp.up_proj.weight", 64)
            .add("model.layers.5.mlp.up_proj.weight")
            .add("model.layers.6.mlp.up_proj.weight", Dtype.F64, 64, 64)
            .plan("method", "rtn");
    assertThat(Headers.quantized(plan)).containsOnlyKeys("model.layers.6.mlp.up_proj");
    assertThat(plan.warnings())
        .anySatisfy(
            warning ->
                assertThat(warning).contains("6 tensors", "model.layers.0.mlp.up_proj.weight"));
  }

  @Test
  void copiesAreOneUnitAShardWhereTheirFirstTensorLies() {
    Plan plan =
        Headers.of("llama")
            .shard("a")
            .add("model.layers.0.mlp.up_proj.weight", 64, 64)
            .norm("model.", TINY)
            .shard("b")
            .add("model.layers.1.mlp.up_proj.weight", 64, 64)
            .shard("c")
            .embedding("model.", TINY)
            .add("model.layers.2.mlp.up_proj.weight", 64, 64)
            .add("model.layers.2.input_layernorm.weight", 64)
            .plan("method", "rtn");
    assertThat(plan.units())
        .extracting(Unit::id)
        .containsExactly(
            "model.layers.0.mlp.up_proj",
            "copied-00001",
            "model.layers.1.mlp.up_proj",
            "copied-00003",
            "model.layers.2.mlp.up_proj");
    assertThat(Headers.names(plan.units().get(3)))
        .containsExactly("model.embed_tokens.weight", "model.layers.2.input_layernorm.weight");
  }

  @Test
  void sharedUnitsMayLieInTwoShardsAndDoNotDependOnDiskOrder() {
    Headers forward =
        Headers.of("llama")
            .shard("a")
            .add("model.layers.0.mlp.gate_proj.weight", 512, 64)
            .shard("b")
            .add("model.layers.0.mlp.up_proj.weight", 512, 64);
    Headers backward =
        Headers.of("llama")
            .shard("a")
            .add("model.layers.0.mlp.up_proj.weight", 512, 64)
            .shard("b")
            .add("model.layers.0.mlp.gate_proj.weight", 512, 64);
    for (Headers headers : List.of(forward, backward)) {
      assertThat(headers.plan().units())
          .singleElement()
          .satisfies(
              unit ->
                  assertThat(Headers.names(unit))
                      .containsExactly(
                          "model.layers.0.mlp.gate_proj.weight",
                          "model.layers.0.mlp.up_proj.weight"));
    }
  }

  @Test
  void everyTensorIsInExactlyOneUnit() {
    Headers headers =
        Headers.decoder("llama", Geometry.SMOLLM2).layer("model.", 1, Geometry.SMOLLM2);
    for (String method : List.of("cafeq", "rtn", "rotation", "hadamard", "none")) {
      assertThat(
              headers.plan("method", method).units().stream()
                  .flatMap(unit -> Headers.names(unit).stream()))
          .hasSize(21)
          .doesNotHaveDuplicates();
    }
    assertThat(headers.plan("method", "none").units())
        .singleElement()
        .isInstanceOf(Unit.Copied.class);
  }
}

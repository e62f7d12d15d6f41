package io.cafeq.engine.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.family.Role;
import io.cafeq.engine.plan.Headers.Geometry;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class PlannerSelectionTest {
  private static final Geometry TINY = Geometry.TINY;
  private static final String PLAIN_4 = "no transform, whole rows, zero-point, 4 bits";
  private static final String PLAIN_8 = "no transform, whole rows, zero-point, 8 bits";

  private final Headers model = Headers.decoder("llama", TINY);

  @Test
  void embeddingAndHeadAreRoundedPlainlyWhenAskedFor() {
    assertThat(Headers.quantized(model.plan("embeddings", "8")))
        .containsEntry("lm_head", PLAIN_8)
        .containsEntry("model.embed_tokens", PLAIN_8);
    assertThat(Headers.quantized(model.plan("embeddings", "8", "method", "none")))
        .isEqualTo(Map.of("lm_head", PLAIN_8, "model.embed_tokens", PLAIN_8));
  }

  @Test
  void aTiedEmbeddingIsRoundedOnceUnderWhicheverNameItIsStored() {
    Headers storedAsHead =
        Headers.of("llama").head("", TINY).tie("model.embed_tokens.weight", "lm_head.weight");
    Headers storedAsEmbedding =
        Headers.of("llama")
            .embedding("model.", TINY)
            .tie("lm_head.weight", "model.embed_tokens.weight");
    assertThat(Headers.quantized(storedAsHead.plan("embeddings", "8")))
        .isEqualTo(Map.of("lm_head", PLAIN_8));
    assertThat(Headers.quantized(storedAsEmbedding.plan("embeddings", "8")))
        .isEqualTo(Map.of("model.embed_tokens", PLAIN_8));
    for (Headers tied : List.of(storedAsHead, storedAsEmbedding)) {
      Plan plan = tied.plan("include", "model\\.embed_tokens\\.weight");
      assertThat(Headers.quantized(plan)).hasSize(1).containsValue(PLAIN_4);
      assertThat(plan.units().getFirst().tensors().getFirst().role()).isEqualTo(Role.EMBEDDING);
    }
  }

  @Test
  void includeNarrowsAndWidens() {
    assertThat(
            Headers.quantized(
                model.plan("include", ".*down_proj.*\nlm_head.weight", "method", "rtn")))
        .isEqualTo(
            Map.of(
                "model.layers.0.mlp.down_proj",
                "no transform, group 128, zero-point, 4 bits",
                "lm_head",
                PLAIN_4));
  }

  @Test
  void excludeWins() {
    Plan plan = model.plan("include", ".*proj.*", "exclude", ".*[qkv]_proj.*", "method", "rtn");
    assertThat(Headers.quantized(plan))
        .containsOnlyKeys(
            "model.layers.0.self_attn.o_proj",
            "model.layers.0.mlp.down_proj",
            "model.layers.0.mlp.gate_proj",
            "model.layers.0.mlp.up_proj");
    assertThat(
            Headers.quantized(
                model.plan("embeddings", "8", "exclude", "lm_head.weight\nmodel\\.layers.*")))
        .containsOnlyKeys("model.embed_tokens");
  }

  @Test
  void patternsMatchWholeNames() {
    EngineException thrown =
        catchThrowableOfType(EngineException.class, () -> model.plan("exclude", "lm_head"));
    assertThat(thrown.kind()).isEqualTo(FailureKind.USAGE);
    assertThat(thrown)
        .hasMessageContaining("exclude 'lm_head' matches no tensor")
        .hasMessageContaining("lm_head.weight")
        .hasMessageContaining("MODEL");
    assertThat(thrown.remedy()).isNotBlank();
  }

  @Test
  void allPatternsThatMatchNothingAreNamedWithTheNearestNames() {
    EngineException thrown =
        catchThrowableOfType(
            EngineException.class,
            () ->
                model.plan(
                    "include",
                    "model\\.layers\\.\\d+\\.mlp\\.downproj\\.weight",
                    "exclude",
                    "nothing at all",
                    "overrides",
                    "[{pattern = \".*self_atn.q_proj.*\", bits = 3}]"));
    assertThat(thrown.kind()).isEqualTo(FailureKind.USAGE);
    assertThat(thrown)
        .hasMessageContaining(
            "downproj\\.weight' matches no tensor"
                + " (the nearest names are model.layers.0.mlp.down_proj.weight")
        .hasMessageContaining("exclude 'nothing at all'")
        .hasMessageContaining(
            "override '.*self_atn.q_proj.*' matches no tensor (the nearest names are"
                + " model.layers.0.self_attn.q_proj.weight");
  }

  @Test
  void theLastOverrideThatNamesAKeyDecidesIt() {
    Map<String, String> units =
        Headers.quantized(
            model.plan(
                "method",
                "rtn",
                "overrides",
                """
                [{pattern = ".*", bits = 3, group = 32},
                 {pattern = ".*mlp.*", bits = 5},
                 {pattern = ".*down.*", group = channel, scales = f16},
                 {pattern = ".*up_proj.*", method = none}]\
                """));
    assertThat(units)
        .isEqualTo(
            Map.of(
                "model.layers.0.self_attn.q_proj", "no transform, group 32, zero-point, 3 bits",
                "model.layers.0.self_attn.k_proj", "no transform, group 32, zero-point, 3 bits",
                "model.layers.0.self_attn.v_proj", "no transform, group 32, zero-point, 3 bits",
                "model.layers.0.self_attn.o_proj", "no transform, group 32, zero-point, 3 bits",
                "model.layers.0.mlp.gate_proj", "no transform, group 32, zero-point, 5 bits",
                "model.layers.0.mlp.down_proj", "no transform, whole rows, f16, 5 bits"));
  }

  @Test
  void overridesOfEmbeddingsKeepThemPlain() {
    Plan plan =
        model.plan(
            "embeddings",
            "8",
            "overrides",
            "[{pattern = lm_head.weight, method = cafeq, block = 16, bits = 6}]");
    assertThat(Headers.quantized(plan))
        .containsEntry("lm_head", "no transform, whole rows, zero-point, 6 bits")
        .containsEntry("model.embed_tokens", PLAIN_8);
  }

  @Test
  void tensorsOfOtherSettingsLeaveTheirGroup() {
    Headers smol = Headers.decoder("llama", Geometry.SMOLLM2);
    assertThat(
            Headers.quantized(
                smol.plan("group", "64", "overrides", "[{pattern = \".*v_proj.*\", bits = 6}]")))
        .containsKeys("model.layers.0.self_attn.qk", "model.layers.0.self_attn.v_proj")
        .doesNotContainKey("model.layers.0.self_attn.qkv");
    assertThat(Headers.quantized(smol.plan("exclude", ".*k_proj.*")))
        .containsKey("model.layers.0.self_attn.qv");
    assertThat(
            Headers.quantized(
                smol.plan(
                    "group", "64", "overrides", "[{pattern = \".*gate_proj.*\", group = 32}]")))
        .containsKeys("model.layers.0.mlp.gate_proj", "model.layers.0.mlp.up_proj");
  }

  @Test
  void patternsThatChangeNothingAreWarnedOf() {
    Plan plan =
        model.plan(
            "overrides",
            "[{pattern = \".*norm.*\", bits = 3}, {pattern = \".*down.*\", bits = 3}]");
    assertThat(plan.warnings()).singleElement().asString().contains(".*norm.*");
    assertThat(model.plan("include", "model.norm.weight\n.*down.*").warnings())
        .anySatisfy(warning -> assertThat(warning).contains("'model.norm.weight' matches only"));
  }

  @Test
  void blocksAboveTheLimitAreRefusedWhereOverridesCombineToThem() {
    EngineException thrown =
        catchThrowableOfType(
            EngineException.class,
            () ->
                model.plan(
                    "method",
                    "hadamard",
                    "block",
                    "512",
                    "overrides",
                    "[{pattern = \".*down.*\", method = cafeq}]"));
    assertThat(thrown.kind()).isEqualTo(FailureKind.USAGE);
    assertThat(thrown).hasMessageContaining("down_proj").hasMessageContaining("512");
  }
}

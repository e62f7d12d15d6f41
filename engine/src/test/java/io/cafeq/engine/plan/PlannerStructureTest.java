package io.cafeq.engine.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cafeq.engine.checkpoint.LayoutKind;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.family.KeptReason;
import io.cafeq.engine.modelconfig.ModelConfig;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is quantized of models by the structure of their names and shapes. */
class PlannerStructureTest {
  @ParameterizedTest
  @ValueSource(
      strings = {
        "wrapped_llama",
        "wrapped_gpt2",
        "fused_experts_out_in",
        "fused_experts_in_out",
        "experts_other_order",
        "unlisted_mixture",
        "unlisted_conv1d",
        "encoder_decoder",
        "encoder_with_positions",
        "speech_recognizer",
        "speech_encoder",
        "vision_encoder",
        "tower_by_name",
        "tower_by_width",
        "tower_by_depth",
        "speech_and_text",
        "picture_reader",
        "steering",
        "norm_within",
        "numbered_pipeline",
        "tower_by_section",
        "layers_between_layers",
        "pictures_alone",
        "short_inner_lengths",
        "tables_in_layers",
        "tower_called_encoder",
        "settings_of_parts",
        "numbered_within_words"
      })
  void matricesOfTheTextModelsLayersAndNothingElse(String name) {
    ModelTable table = ModelTable.of(name);
    Plan plan = plan(table);
    Map<String, PlannedTensor> quantized = new TreeMap<>();
    Map<String, PlannedTensor> kept = new TreeMap<>();
    plan.units()
        .forEach(
            unit ->
                unit.tensors()
                    .forEach(
                        tensor ->
                            (isQuantized(unit, tensor) ? quantized : kept)
                                .put(tensor.name(), tensor)));
    assertThat(quantized.keySet())
        .isEqualTo(
            new TreeSet<>(
                table.lines().stream()
                    .filter(ModelTable.Line::quantized)
                    .map(ModelTable.Line::name)
                    .toList()));
    for (ModelTable.Line line : table.lines()) {
      PlannedTensor tensor =
          Objects.requireNonNull(
              (line.quantized() ? quantized : kept).get(line.name()), line.name());
      line.role()
          .ifPresent(role -> assertThat(tensor.role().text()).as(line.name()).isEqualTo(role));
      if (line.quantized()) {
        assertThat(tensor.weight().layout().kind())
            .as(line.name())
            .isEqualTo(line.transposed() ? LayoutKind.TRANSPOSED : LayoutKind.PLAIN);
      }
    }
    assertThatCode(() -> plan.coverage().require(.7, "MODEL")).doesNotThrowAnyException();
  }

  /** A pair's unit holds biases too. */
  private static boolean isQuantized(Unit unit, PlannedTensor tensor) {
    return unit instanceof Unit.Quantized && tensor.role().isLinear();
  }

  @Test
  void aWrappedModelHasThePairsOfItsFamily() {
    ModelTable table = ModelTable.of("wrapped_llama");
    Plan plan =
        Planner.plan(
            "MODEL",
            ModelConfig.of(table.config()),
            table.tensors(),
            Map.of(),
            Headers.recipe("pairs", "true"));
    assertThat(plan.family()).isEqualTo("llama");
    assertThat(plan.warnings()).noneMatch(warning -> warning.contains("pair"));
    assertThat(plan.units())
        .filteredOn(unit -> unit instanceof Unit.Quantized)
        .filteredOn(
            unit -> unit.tensors().stream().anyMatch(tensor -> tensor.name().contains("v_proj")))
        .hasSize(2)
        .allMatch(
            unit -> unit.tensors().stream().anyMatch(tensor -> tensor.name().contains("o_proj")));
  }

  @Test
  void reasonsAreGivenByWeight() {
    Coverage coverage = plan(ModelTable.of("tower_by_name")).coverage();
    long quantized = 2 * (128 * 64 + 64 * 64 + 96 * 64 + 64 * 96);
    assertThat(coverage.quantized()).isEqualTo(quantized);
    assertThat(coverage.kept())
        .containsOnly(
            Map.entry(KeptReason.EMBEDDINGS, 2L * 300 * 64),
            Map.entry(KeptReason.OTHER_MODALITY, 2L * (192 * 64 + 64 * 64)),
            Map.entry(KeptReason.OUTSIDE, 64L * 256 + 64 * 64));
    assertThat(coverage.weights())
        .isEqualTo(quantized + 2 * 300 * 64 + 2 * (192 * 64 + 64 * 64) + 64 * 256 + 64 * 64);
    assertThat(coverage.text()).startsWith("35 % quantized; embeddings and output heads 27 %, ");
  }

  @Test
  void aModelWithoutLayersIsRefusedWithWhatIsLeft() {
    Headers headers = Headers.of("flat").add("first.weight", 64, 64).add("second.weight", 64, 64);
    Coverage coverage = headers.plan().coverage();
    assertThatThrownBy(() -> coverage.require(.5, "MODEL"))
        .isInstanceOfSatisfying(
            EngineException.class,
            e -> {
              assertThat(e.kind()).isEqualTo(FailureKind.CHECKPOINT);
              assertThat(e)
                  .hasMessage(
                      "MODEL: nothing would be quantized: outside the repeated layers 100 %");
              assertThat(e.remedy()).contains("--include", "--minimum-coverage 0");
            });
    assertThatCode(() -> coverage.require(0, "MODEL")).doesNotThrowAnyException();
    assertThatCode(() -> headers.plan("include", "first.*").coverage().require(.5, "MODEL"))
        .doesNotThrowAnyException();
  }

  /** Most of the layers are experts of a shape that cannot be read. */
  @Test
  void layersThatAreMostlyLeftAreRefused() {
    Headers headers = Headers.of("folded_moe");
    headers.config().put("hidden_size", 64).put("num_experts", 4);
    headers
        .add("model.layers.0.self_attn.q_proj.weight", 64, 64)
        .add("model.layers.0.self_attn.o_proj.weight", 64, 64)
        .add("model.layers.0.mlp.experts.folded", 4, 2, 96, 64);
    Coverage coverage = headers.plan().coverage();
    assertThat(coverage.kept()).containsEntry(KeptReason.UNREADABLE, 4L * 2 * 96 * 64);
    assertThatThrownBy(() -> coverage.require(.5, "MODEL"))
        .hasMessageContaining("14 % of the repeated layers'")
        .hasMessageContaining("in a layout that cannot be read 86 %");
    assertThatCode(() -> coverage.require(.1, "MODEL")).doesNotThrowAnyException();
  }

  @ParameterizedTest
  @CsvSource({"exclude, .*", "method, none", "exclude, .*layers.*"})
  void whatTheRecipeLeavesAloneIsNoLoss(String key, String value) {
    Plan plan = Headers.decoder("llama", Headers.Geometry.TINY).plan(key, value);
    assertThat(plan.coverage().quantized()).isZero();
    assertThat(plan.coverage().kept()).containsKey(KeptReason.RECIPE);
    assertThatCode(() -> plan.coverage().require(.5, "MODEL")).doesNotThrowAnyException();
  }

  @Test
  void theShareIsNeverRoundedUpToAll() {
    assertThat(new Coverage(99_999, 99_999, Map.of(KeptReason.STEERING, 1L), true).text())
        .isEqualTo(
            "99.9 % quantized; routers, gates, norms and other matrices that steer below 0.1 %");
    assertThat(new Coverage(5, 5, Map.of(), true).text()).isEqualTo("100 % quantized");
  }

  private static Plan plan(ModelTable table) {
    return Planner.plan(
        "MODEL", ModelConfig.of(table.config()), table.tensors(), Map.of(), Headers.recipe());
  }
}

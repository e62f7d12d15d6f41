package io.cafeq.engine.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.cafeq.engine.checkpoint.LayoutSamples.Stored;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.family.ModelDescription;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** What is said of checkpoints that other programs quantized, before any work. */
class SourceQuantizationTest {
  private static final String AT = "model.layers.3.self_attn.k_proj";

  @TempDir Path folder;

  private static Stored tensor(String name, Dtype dtype, Integer... shape) {
    return LayoutSamples.random(
        name, dtype, Stream.of(shape).map(Integer::longValue).toList(), new Random(1));
  }

  private static Stored plain() {
    return tensor("model.embed_tokens.weight", Dtype.BF16, 32, 16);
  }

  private List<String> check(String config, Stored... tensors) throws IOException {
    Path at = Files.createTempDirectory(folder, "c");
    List<Stored> all = new ArrayList<>(List.of(plain()));
    all.addAll(Arrays.asList(tensors));
    LayoutSamples.write(at, all);
    Files.writeString(at.resolve("config.json"), config);
    try (Checkpoint checkpoint = Checkpoint.open(at)) {
      return SourceQuantization.check(
          checkpoint, ModelDescription.of(checkpoint)::isInLayers, info -> false);
    }
  }

  private CheckpointException refused(String config, Stored... tensors) {
    CheckpointException refused =
        catchThrowableOfType(CheckpointException.class, () -> check(config, tensors));
    assertThat(refused).isNotNull().hasMessageContaining("quantized already by");
    assertThat(refused.kind()).isEqualTo(FailureKind.CHECKPOINT);
    assertThat(refused.remedy())
        .startsWith("Take the original checkpoint")
        .doesNotContain("nclude");
    return refused;
  }

  static List<Arguments> formats() {
    return List.of(
        Arguments.of(
            "GPTQ",
            List.of(
                tensor(AT + ".qweight", Dtype.I32, 8, 32),
                tensor(AT + ".qzeros", Dtype.I32, 2, 4),
                tensor(AT + ".scales", Dtype.F16, 2, 32),
                tensor(AT + ".g_idx", Dtype.I32, 64))),
        Arguments.of(
            "AWQ",
            List.of(
                tensor(AT + ".qweight", Dtype.I32, 64, 4),
                tensor(AT + ".qzeros", Dtype.I32, 2, 4),
                tensor(AT + ".scales", Dtype.F16, 2, 32))),
        Arguments.of(
            "bitsandbytes (nf4)",
            List.of(
                tensor(AT + ".weight", Dtype.U8, 512, 1),
                tensor(AT + ".weight.absmax", Dtype.U8, 16),
                tensor(AT + ".weight.quant_map", Dtype.F32, 16),
                tensor(AT + ".weight.quant_state.bitsandbytes__nf4", Dtype.U8, 80))),
        Arguments.of(
            "bitsandbytes (fp4)",
            List.of(
                tensor(AT + ".weight", Dtype.U8, 512, 1),
                tensor(AT + ".weight.quant_state.bitsandbytes__fp4", Dtype.U8, 80))),
        Arguments.of(
            "bitsandbytes (int8)",
            List.of(
                tensor(AT + ".weight", Dtype.I8, 32, 64),
                tensor(AT + ".SCB", Dtype.F32, 32),
                tensor(AT + ".weight_format", Dtype.U8))),
        Arguments.of(
            "HQQ",
            List.of(
                tensor(AT + ".W_q", Dtype.U8, 512, 2),
                tensor(AT + ".scale", Dtype.F16, 1, 16),
                tensor(AT + ".zero", Dtype.F16, 1, 16))),
        Arguments.of(
            "AQLM",
            List.of(
                tensor(AT + ".codes", Dtype.I16, 32, 8, 1),
                tensor(AT + ".codebooks", Dtype.F16, 1, 16, 1, 8),
                tensor(AT + ".scales", Dtype.F16, 32, 1, 1, 1))),
        Arguments.of(
            "QuIP#",
            List.of(
                tensor(AT + ".Qidxs", Dtype.I64, 32, 8),
                tensor(AT + ".SU", Dtype.F16, 64),
                tensor(AT + ".SV", Dtype.F16, 32))),
        Arguments.of(
            "EXL2",
            List.of(
                tensor(AT + ".q_weight", Dtype.I32, 8, 32),
                tensor(AT + ".q_scale", Dtype.I32, 2, 4),
                tensor(AT + ".q_invperm", Dtype.I16, 64))),
        Arguments.of(
            "EXL3",
            List.of(
                tensor(AT + ".trellis", Dtype.I16, 4, 2, 64), tensor(AT + ".suh", Dtype.F16, 64))),
        Arguments.of(
            "VPTQ",
            List.of(
                tensor(AT + ".indices", Dtype.I32, 1, 8, 4),
                tensor(AT + ".centroids.weight", Dtype.F16, 1, 16))),
        Arguments.of("SpQR", List.of(tensor(AT + ".dense_weights", Dtype.I64, 32))),
        Arguments.of(
            "HIGGS",
            List.of(
                tensor(AT + ".weight", Dtype.I16, 8, 32), tensor(AT + ".tables2", Dtype.F16, 4))),
        Arguments.of(
            "EETQ",
            List.of(
                tensor(AT + ".weight", Dtype.I8, 64, 32),
                tensor(AT + ".weight_scales", Dtype.F16, 32))),
        Arguments.of(
            "quanto",
            List.of(
                tensor(AT + ".weight._data", Dtype.I8, 32, 64),
                tensor(AT + ".weight._scale", Dtype.F32, 32, 1))),
        Arguments.of(
            "torchao",
            List.of(
                tensor(AT + "._weight_qdata", Dtype.I8, 32, 64),
                tensor(AT + "._weight_scale", Dtype.F32, 32))),
        Arguments.of(
            "MLX",
            List.of(
                tensor(AT + ".weight", Dtype.U32, 32, 8),
                tensor(AT + ".scales", Dtype.BF16, 32, 1),
                tensor(AT + ".biases", Dtype.BF16, 32, 1))),
        Arguments.of(
            "GGUF",
            List.of(
                tensor(AT + ".qweight", Dtype.U8, 32, 36), tensor(AT + ".qweight_type", Dtype.U8))),
        Arguments.of(
            "BitNet",
            List.of(
                tensor(AT + ".weight", Dtype.U8, 8, 64),
                tensor(AT + ".weight_scale", Dtype.BF16, 1))),
        Arguments.of(
            "compressed-tensors (2:4 sparse)",
            List.of(
                tensor(AT + ".weight_packed", Dtype.I32, 4, 64),
                tensor(AT + ".scale_packed", Dtype.F16, 1, 32),
                tensor(AT + ".meta", Dtype.I16, 32, 4))),
        Arguments.of(
            "compressed-tensors (2:4 sparse)",
            List.of(
                tensor(AT + ".compressed", Dtype.F8_E4M3, 32, 32),
                tensor(AT + ".bitmask", Dtype.U8, 32, 8),
                tensor(AT + ".weight_scale", Dtype.BF16, 32, 1))),
        Arguments.of(
            "AWQ",
            List.of(
                tensor(AT + ".weight", Dtype.U8, 32, 32),
                tensor(AT + ".weight_scale", Dtype.F8_E4M3, 32, 4),
                tensor(AT + ".weight_scale_2", Dtype.F32),
                tensor(AT + ".pre_quant_scale", Dtype.BF16, 64))));
  }

  /** Where config.json is silent the tensors' names tell. */
  @ParameterizedTest(name = "{0}")
  @MethodSource("formats")
  void weightsThatOnlyTheirProgramReadsAreRefused(String method, List<Stored> tensors) {
    CheckpointException refused = refused("{}", tensors.toArray(Stored[]::new));
    assertThat(refused)
        .hasMessageContaining("by " + method)
        .hasMessageContaining("by the tensors' names")
        .hasMessageContaining(AT)
        .hasMessageContaining("cannot be read");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{'quantization_config': {'quant_method': 'awq', 'bits': 4}} | by awq (quantization stated"
            + " in config.json)",
        "{'text_config': {'quantization_config': {'quant_method': 'auto-round'}}} | by auto-round",
        "{'language_config': {'quantization_config': {'quant_method': 'hqq'}}} | by hqq",
        "{'quantization_config': {'quant_method': 'evil\\u001b[2J'}} | by evil\\u001b[2J"
      })
  void theProgramIsThatOfConfig(String config, String expected) {
    assertThat(refused(config.replace('\'', '"'), tensor(AT + ".qweight", Dtype.I32, 8, 32)))
        .hasMessageContaining(expected);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "hf_quant_config.json | {'producer': {'name': 'modelopt'}, 'quantization': {'quant_algo':"
            + " 'W4A16_AWQ'}} | by modelopt (W4A16_AWQ) (quantization stated in"
            + " hf_quant_config.json)",
        "quantize_config.json | {'bits': 4, 'group_size': 128} | by GPTQ (quantization stated in"
            + " quantize_config.json)",
        "quant_config.json | {'w_bit': 4, 'q_group_size': 128} | by AWQ",
        "quantize_config.json | {broken | by GPTQ (by the tensors' names)"
      })
  void filesBesideTellToo(String file, String content, String expected) throws IOException {
    Path at =
        LayoutSamples.write(
            folder.resolve("c"), List.of(plain(), tensor(AT + ".qweight", Dtype.I32, 8, 32)));
    Files.writeString(at.resolve(file), content.replace('\'', '"'));
    Files.writeString(
        at.resolve("README.md"),
        "---\nlicense: mit\nbase_model:\n- some/Original-7B\n---\n# Hello\n");
    try (Checkpoint checkpoint = Checkpoint.open(at)) {
      CheckpointException refused =
          catchThrowableOfType(
              CheckpointException.class,
              () ->
                  SourceQuantization.check(
                      checkpoint, ModelDescription.of(checkpoint)::isInLayers, info -> false));
      assertThat(refused).hasMessageContaining(expected);
      assertThat(refused.remedy()).contains("some/Original-7B");
    }
  }

  /** MLX states sizes and no name. */
  @Test
  void theTensorsNamesTellWhereConfigNamesNoProgram() {
    String config = "{'quantization': {'group_size': 32, 'bits': 4}}".replace('\'', '"');
    assertThat(
            refused(
                config,
                tensor(AT + ".weight", Dtype.U32, 32, 8),
                tensor(AT + ".scales", Dtype.BF16, 32, 1),
                tensor(AT + ".biases", Dtype.BF16, 32, 1)))
        .hasMessageContaining("by MLX (by the tensors' names)");
    assertThat(refused(config, tensor(AT + ".weight", Dtype.I32, 32, 8)))
        .hasMessageContaining("by another program (quantization stated in config.json)");
  }

  /** Unknown names, in one dimension: most of the layers are not floats. */
  @Test
  void layersOfIntegersAreRefusedWhateverTheirNames() throws IOException {
    Stored codes = tensor("model.layers.0.self_attn.k_proj.blob", Dtype.U8, 1024);
    Stored norm = tensor("model.layers.0.norm.weight", Dtype.F32, 64);
    assertThat(
            refused(
                "{'quantization_config': {'quant_method': 'of_tomorrow'}}".replace('\'', '"'),
                codes,
                norm))
        .hasMessageContaining("by of_tomorrow")
        .hasMessageContaining("k_proj.blob");
    assertThat(refused("{}", codes, norm)).hasMessageContaining("by another program");
    assertThat(check("{}", codes, norm, tensor("model.layers.0.up.weight", Dtype.F32, 64, 64)))
        .isEmpty();
    assertThat(check("{}", tensor("h.0.attn.bias", Dtype.U8, 1, 1, 64, 64), norm)).isEmpty();
  }

  @Test
  void whatIsPackedDecidesAndNotWhatConfigSays() throws IOException {
    String config = "{\"quantization_config\": {\"quant_method\": \"gptq\"}}";
    assertThat(check(config, tensor(AT + ".weight", Dtype.BF16, 32, 64)))
        .singleElement()
        .asString()
        .contains("config.json describes weights quantized by gptq, but all weights are plain");
    assertThat(check("{}", tensor(AT + ".weight", Dtype.BF16, 32, 64))).isEmpty();
    assertThat(check("{}", tensor("vision_tower.encoder.layers.0.fc1.qweight", Dtype.I32, 8, 32)))
        .isEmpty();
    assertThat(
            check(
                config,
                tensor(AT + ".weight", Dtype.F8_E4M3, 32, 64),
                tensor(AT + ".weight_scale", Dtype.F32, 32)))
        .isEmpty();
    assertThat(
            check(
                "{}",
                tensor("encoder.layer.0.position_ids", Dtype.I64, 1, 64),
                tensor("h.0.attn.bias", Dtype.U8, 1, 1, 8, 8),
                tensor("l.0.relative_position_index", Dtype.I32, 8, 8)))
        .isEmpty();
  }

  @Test
  void onePackedMatrixAmongReadableOnesIsRefused() {
    assertThat(
            refused(
                "{\"quantization_config\": {\"quant_method\": \"fp8\"}}",
                tensor(AT + ".weight", Dtype.F8_E4M3, 32, 64),
                tensor(AT + ".weight_scale_inv", Dtype.F32, 32),
                tensor("model.layers.4.mlp.up_proj.weight", Dtype.F8_E4M3, 32, 64)))
        .hasMessageContaining("by fp8")
        .hasMessageContaining("model.layers.4.mlp.up_proj.weight")
        .hasMessageContaining("no scales");
  }

  @Test
  void fewBitsGetAWarningButNotThoseOfAModelReleasedSo() throws IOException {
    Stored codes = tensor(AT + ".weight_packed", Dtype.U8, 32, 32);
    Stored scales = tensor(AT + ".weight_scale", Dtype.F8_E4M3, 32, 4);
    Stored global = tensor(AT + ".weight_global_scale", Dtype.F32, 1);
    assertThat(
            check(
                "{\"quantization_config\": {\"quant_method\": \"compressed-tensors\"}}",
                codes,
                scales,
                global))
        .singleElement()
        .asString()
        .contains("weights of 4 bits")
        .contains(AT + ".weight")
        .contains("the original checkpoint would give better results");
    assertThat(
            check(
                "{}",
                tensor("m.layers.0.mlp.experts.up_proj_blocks", Dtype.U8, 2, 8, 1, 16),
                tensor("m.layers.0.mlp.experts.up_proj_scales", Dtype.U8, 2, 8, 1)))
        .isEmpty();
  }

  @Test
  void scalesOfCachesAreMentioned() throws IOException {
    assertThat(check("{}", tensor("model.layers.3.self_attn.v_scale", Dtype.F32)))
        .singleElement()
        .asString()
        .contains("cache of keys and values");
  }

  @Test
  void transformsThatTheModelAppliesWhileItRunsAreRefused() throws IOException {
    String config =
        "{\"quantization_config\": {\"quant_method\": \"compressed-tensors\", \"transform_config\":"
            + " {\"config_groups\": {\"u\": {\"apply\": [{\"location\": \"%s\"}]}}}}}";
    Stored[] tensors = {
      tensor(AT + ".weight", Dtype.I8, 32, 64), tensor(AT + ".weight_scale", Dtype.BF16, 32, 1)
    };
    assertThat(refused(config.formatted("input"), tensors))
        .hasMessageContaining("transform_config");
    assertThat(check(config.formatted("weight_output"), tensors)).isEmpty();
  }
}

package io.cafeq.tools;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.LayoutSamples;
import io.cafeq.engine.checkpoint.LayoutSamples.Stored;
import io.cafeq.engine.checkpoint.PackedIntegers;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.checkpoint.WeightTensor;
import io.cafeq.engine.checkpoint.WeightTensors.Reading;
import io.cafeq.engine.memory.FloatMatrix;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Models that another program quantized through every command: planned with pairs, quantized,
 * proven and exported.
 */
class QuantizedSourceFlowTest {
  private static final String CONFIG =
      """
      {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 1,
       "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "intermediate_size": 96, "vocab_size": 128,
       "max_position_embeddings": 128, "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "hidden_act": "silu",
       "tie_word_embeddings": false, "torch_dtype": "bfloat16",
       "quantization_config": {"quant_method": "someone"}}
      """;
  private static final String LAYER = "model.layers.0.";
  private static final List<String> MATRICES =
      List.of(
          "self_attn.q_proj:64x64",
          "self_attn.k_proj:32x64",
          "self_attn.v_proj:32x64",
          "self_attn.o_proj:64x64",
          "mlp.gate_proj:96x64",
          "mlp.up_proj:96x64",
          "mlp.down_proj:64x96");

  @TempDir Path folder;

  enum Format {
    CHANNELS,
    TENSOR,
    TILES_OF_FOUR_DIMENSIONS,
    POWERS,
    NVFP4,
    NVFP4_DIVIDED,
    PACKED,
    BYTES
  }

  private final Random random = new Random(7);

  private Stored make(String name, Dtype dtype, long... shape) {
    List<Long> lengths = new ArrayList<>();
    for (long length : shape) {
      lengths.add(length);
    }
    return LayoutSamples.random(name, dtype, lengths, random);
  }

  /** U8 as powers of two. */
  private Stored powers(String name, int rows, int columns) {
    byte[] bytes = new byte[rows * columns];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) (120 + random.nextInt(4));
    }
    return new Stored(name, Dtype.U8, List.of((long) rows, (long) columns), bytes);
  }

  private List<Stored> matrix(Format format, String module, int out, int in) {
    String name = module + ".weight";
    return switch (format) {
      case CHANNELS ->
          List.of(make(name, Dtype.F8_E4M3, out, in), make(name + "_scale", Dtype.BF16, out, 1));
      case TENSOR ->
          List.of(
              make(name, Dtype.F8_E4M3, out, in),
              make(name + "_scale_inv", Dtype.BF16),
              make(module + ".activation_scale", Dtype.BF16));
      case TILES_OF_FOUR_DIMENSIONS ->
          List.of(
              make(name, Dtype.F8_E4M3, out, in),
              make(name + "_scale", Dtype.F32, out / 32, 1, in / 32, 1));
      case POWERS ->
          List.of(make(name, Dtype.F8_E4M3, out, in), powers(name + "_scale", out, in / 32));
      case NVFP4 ->
          List.of(
              make(name, Dtype.U8, out, in / 2), make(name + "_scale", Dtype.F8_E4M3, out, in / 16),
              make(name + "_scale_2", Dtype.F32), make(module + ".input_scale", Dtype.F32));
      case NVFP4_DIVIDED ->
          List.of(
              make(name + "_packed", Dtype.U8, out, in / 2),
                  make(name + "_scale", Dtype.F8_E4M3, out, in / 16),
              make(name + "_global_scale", Dtype.F32, 1),
                  make(module + ".input_global_scale", Dtype.F32, 1));
      case PACKED ->
          List.of(
              PackedIntegers.rows(
                  name + "_packed", PackedIntegers.random(out, in, 3, random), 0, 3, false),
              make(name + "_scale", Dtype.BF16, out, in / 32),
              PackedIntegers.columns(
                  name + "_zero_point",
                  PackedIntegers.random(out, in / 32, 3, random),
                  0,
                  3,
                  false),
              PackedIntegers.longs(name + "_shape", List.of((long) out, (long) in)));
      case BYTES ->
          List.of(make(name, Dtype.I8, out, in), make(name + "_scale", Dtype.F32, out, 1));
    };
  }

  private Path write(Format format) throws IOException {
    List<Stored> first =
        new ArrayList<>(
            List.of(
                make("model.embed_tokens.weight", Dtype.BF16, 128, 64),
                make("lm_head.weight", Dtype.BF16, 128, 64),
                make("model.norm.weight", Dtype.BF16, 64),
                make(LAYER + "input_layernorm.weight", Dtype.BF16, 64),
                make(LAYER + "post_attention_layernorm.weight", Dtype.BF16, 64),
                make(LAYER + "self_attn.k_scale", Dtype.F32),
                make(LAYER + "self_attn.v_scale", Dtype.F32)));
    List<Stored> second = new ArrayList<>();
    for (String each : MATRICES) {
      String[] parts = each.split("[:x]");
      List<Stored> tensors =
          matrix(format, LAYER + parts[0], Integer.parseInt(parts[1]), Integer.parseInt(parts[2]));
      first.add(tensors.getFirst());
      second.addAll(tensors.subList(1, tensors.size()));
    }
    Path model = LayoutSamples.write(folder.resolve("model"), first, second);
    Files.writeString(model.resolve("config.json"), CONFIG);
    return model;
  }

  private static CommandRun run(String... arguments) {
    CommandRun run = CommandRun.of(arguments);
    assertThat(run.exitCode()).as(run.toString()).isZero();
    return run;
  }

  @ParameterizedTest
  @EnumSource(Format.class)
  void aModelInAnyFormatThatCanBeDequantized(Format format) throws IOException {
    Path model = write(format);
    String out = folder.resolve("out").toString();
    Path dense = folder.resolve("dense");
    assertThat(run("plan", model.toString()).out())
        .contains("pair of v and o")
        .doesNotContain("is not known");
    run(
        "quantize",
        model.toString(),
        "--out",
        out,
        "--bits",
        "8",
        "--group",
        "16",
        "--steps",
        "20",
        "--statistics",
        "none");
    assertThat(run("verify", out, "--against", model.toString()).out()).contains("sound");
    run("export", out, "--format", "dense", "--out", dense.toString());
    compare(model, dense, 0.02, "self_attn.v_proj", "self_attn.o_proj");
    assertThat(Files.readString(dense.resolve("config.json")))
        .doesNotContain("quantization_config");
  }

  /** The weights of a result that keeps all bytes are dequantized when it is exported. */
  @ParameterizedTest
  @EnumSource(Format.class)
  void weightsThatKeepTheirBytes(Format format) throws IOException {
    Path model = write(format);
    String out = folder.resolve("out").toString();
    Path dense = folder.resolve("dense");
    run("quantize", model.toString(), "--out", out, "--exclude", ".*", "--method", "rtn");
    assertThat(run("verify", out, "--against", model.toString()).out()).contains("sound");
    run("export", out, "--format", "dense", "--out", dense.toString());
    compare(model, dense, 0x1p-8);
  }

  /**
   * Every matrix is in the export under its own name and near the source's; nothing that went into
   * it is.
   */
  private static void compare(Path model, Path dense, double most, String... except) {
    try (Checkpoint source = Checkpoint.open(model);
        Checkpoint exported = Checkpoint.open(dense);
        Arena arena = Arena.ofConfined()) {
      for (String each : MATRICES) {
        String[] parts = each.split("[:x]");
        String name = LAYER + parts[0] + ".weight";
        TensorInfo found = exported.tensor(name).orElseThrow();
        assertThat(found.dtype()).isEqualTo(Dtype.BF16);
        assertThat(found.shape()).containsExactly(Long.valueOf(parts[1]), Long.valueOf(parts[2]));
        Reading reading = source.weights().read(source.tensor(name).orElseThrow(), false);
        WeightTensor weight = ((Reading.Weights) reading).weight();
        weight.sources().stream()
            .skip(1)
            .forEach(companion -> assertThat(exported.tensor(companion.name())).isEmpty());
        if (List.of(except).contains(parts[0])) {
          continue;
        }
        FloatMatrix before = FloatMatrix.allocate(arena, weight.rows(), weight.columns());
        FloatMatrix after = FloatMatrix.allocate(arena, weight.rows(), weight.columns());
        source.readFloats(weight, 0, 0, before);
        exported.readFloats(found, 0, 0, after);
        double difference = 0;
        double norm = 0;
        for (int row = 0; row < before.rows(); row++) {
          for (int column = 0; column < before.columns(); column++) {
            difference += Math.pow((double) after.get(row, column) - before.get(row, column), 2);
            norm += Math.pow(before.get(row, column), 2);
          }
        }
        assertThat(Math.sqrt(difference / norm)).as(name).isLessThan(most);
      }
    }
  }

  @Test
  void weightsThatCannotBeDequantizedLeaveNothingBehind() throws IOException {
    Path model = write(Format.BYTES);
    List<Stored> gptq =
        List.of(
            make("model.embed_tokens.weight", Dtype.BF16, 128, 64),
            make(LAYER + "mlp.up_proj.qweight", Dtype.I32, 8, 96),
            make(LAYER + "mlp.up_proj.scales", Dtype.F16, 2, 96));
    Path other = LayoutSamples.write(folder.resolve("gptq"), gptq);
    Files.copy(model.resolve("config.json"), other.resolve("config.json"));
    Path text = Files.writeString(folder.resolve("text.txt"), "some words");
    for (CommandRun run :
        List.of(
            CommandRun.of("plan", other.toString()),
            CommandRun.of("quantize", other.toString(), "--out", folder.resolve("out").toString()),
            CommandRun.of("evaluate", other.toString(), "--text", text.toString()))) {
      assertThat(run.exitCode()).as(run.toString()).isEqualTo(ExitCode.CHECKPOINT);
      assertThat(run.err())
          .contains("quantized already by someone")
          .contains("mlp.up_proj.qweight")
          .contains("Take the original checkpoint")
          .doesNotContain("nclude");
    }
    assertThat(folder.resolve("out")).doesNotExist();
  }
}

package io.cafeq.tools;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.LayoutSamples;
import io.cafeq.engine.checkpoint.LayoutSamples.Stored;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;

/** Weights that are broken, that another program packed, or that leave the range of their type. */
final class WeightRemedies {
  private static final String BROKEN =
      "use another copy of the checkpoint, or quantize the rest into another folder";
  private static final int NAN = 0x7FC0;

  /** BF16 whose square is beyond floats. */
  private static final int HUGE = 0x7149;

  private WeightRemedies() {}

  static Stream<Remedy> all() {
    return Stream.of(
        new Remedy(
            "a weight that is no number, and it is excluded",
            place -> {
              withoutNumber(place);
              return place.quantize();
            },
            ExitCode.CHECKPOINT,
            List.of(BROKEN),
            WeightRemedies::withoutBroken),
        new Remedy(
            "a weight that is no number, and another copy is taken",
            place -> {
              withoutNumber(place);
              return place.quantize();
            },
            ExitCode.CHECKPOINT,
            List.of(BROKEN),
            (place, failed) -> {
              Place.delete(place.model());
              sound(place);
              return place.quantize();
            }),
        new Remedy(
            "inputs that are too large to be squared",
            place -> {
              List<Stored> tensors = sound();
              tensors.replaceAll(
                  tensor ->
                      tensor.name().endsWith("post_attention_layernorm.weight")
                          ? tensor.with(0, HUGE)
                          : tensor);
              write(place, tensors, "");
              return place.quantize("--statistics", "random", "--statistics-tokens", "64");
            },
            ExitCode.CHECKPOINT,
            List.of("quantize it into another folder with --statistics weights"),
            (place, failed) -> place.quantize(place.another(), "--statistics", "weights")),
        new Remedy(
            "a weight that is no number, met while taking statistics",
            place -> {
              withoutNumber(place);
              return place.quantize("--statistics", "random", "--statistics-tokens", "64");
            },
            ExitCode.CHECKPOINT,
            List.of(BROKEN),
            WeightRemedies::withoutBroken),
        new Remedy(
            "a weight that is no number, met while choosing",
            place -> {
              withoutNumber(place);
              return Place.run("plan", place.model().toString(), "--target-bpw", "5");
            },
            ExitCode.CHECKPOINT,
            List.of(BROKEN),
            WeightRemedies::withoutBroken),
        scaled("a scale that is no number", "_scale", 0x7FC0_0000),
        scaled("a scale that divides and is zero", "_global_scale", 0),
        new Remedy(
            "packed weights beside plain ones, and they are excluded",
            place -> {
              packed(place, true);
              return place.plan();
            },
            ExitCode.CHECKPOINT,
            List.of("Take the original checkpoint", "Or leave what cannot be read as it is"),
            (place, failed) -> {
              CommandRun quantized = place.quantize("--exclude", Place.excluded(failed));
              assertThat(quantized.exitCode()).as(quantized.toString()).isZero();
              return Place.run(
                  "verify", place.out().toString(), "--against", place.model().toString());
            }),
        new Remedy(
            "packed weights, and the original is taken",
            place -> {
              packed(place, false);
              CommandRun failed = place.plan();
              assertThat(failed.err()).doesNotContain("--exclude");
              return failed;
            },
            ExitCode.CHECKPOINT,
            List.of("Take the original checkpoint"),
            (place, failed) -> {
              Place.delete(place.model());
              return place.whole().plan();
            }),
        new Remedy(
            "a bias that a pair cannot fold",
            place -> {
              biased(place);
              return place.cafeq(place.out(), "--method", "cafeq");
            },
            ExitCode.CHECKPOINT,
            List.of("into another folder with --no-pairs"),
            (place, failed) -> place.cafeq(place.another(), "--method", "cafeq", "--no-pairs")),
        new Remedy(
            "a decoded weight that does not fit into its type",
            place -> {
              nearTheEnd(place);
              CommandRun quantized = place.quantize("--bits", "2");
              assertThat(quantized.exitCode()).as(quantized.toString()).isZero();
              return dense(place, place.out());
            },
            ExitCode.FAILURE,
            List.of("Quantize again into another folder", "--exclude"),
            (place, failed) -> {
              CommandRun quantized =
                  place.quantize(
                      place.another(), "--bits", "2", "--exclude", Place.excluded(failed));
              return quantized.exitCode() == 0 ? dense(place, place.another()) : quantized;
            }));
  }

  private static CommandRun dense(Place place, Path result) {
    return Place.run(
        "export",
        result.toString(),
        "--format",
        "dense",
        "--out",
        place.folder().resolve("dense").toString());
  }

  private static CommandRun withoutBroken(Place place, CommandRun failed) {
    return place.quantize(
        place.another(), "--statistics", "none", "--exclude", Place.excluded(failed));
  }

  /** In a model of which the forward pass needs every matrix. */
  private static void withoutNumber(Place place) throws IOException {
    List<Stored> tensors = sound();
    tensors.replaceAll(
        tensor -> tensor.name().endsWith("up_proj.weight") ? tensor.with(5, NAN) : tensor);
    write(place, tensors, "");
  }

  private static void sound(Place place) throws IOException {
    write(place, sound(), "");
  }

  private static List<Stored> sound() {
    List<Stored> tensors = new ArrayList<>(outer());
    tensors.addAll(layer(0));
    return tensors;
  }

  private static Remedy scaled(String name, String ending, int value) {
    return new Remedy(
        name,
        place -> {
          List<Stored> tensors = new ArrayList<>(outer());
          for (int layer = 0; layer < 2; layer++) {
            tensors.addAll(layer(layer));
          }
          Random random = new Random(3);
          String broken = "model.layers.0.mlp.gate_proj.weight";
          tensors.removeIf(tensor -> tensor.name().equals(broken));
          tensors.add(
              LayoutSamples.random(broken + "_packed", Dtype.U8, List.of(64L, 16L), random));
          tensors.add(
              LayoutSamples.random(broken + "_scale", Dtype.F8_E4M3, List.of(64L, 2L), random));
          tensors.add(
              LayoutSamples.random(broken + "_global_scale", Dtype.F32, List.of(1L), random));
          tensors.replaceAll(
              tensor ->
                  tensor.name().equals(broken + ending)
                      ? tensor.with(0, tensor.dtype() == Dtype.F32 ? value : 0x7F)
                      : tensor);
          write(place, tensors, "");
          return place.quantize();
        },
        ExitCode.CHECKPOINT,
        List.of(BROKEN),
        WeightRemedies::withoutBroken);
  }

  private static void packed(Place place, boolean besidePlain) throws IOException {
    List<Stored> tensors = new ArrayList<>(outer());
    for (int layer = besidePlain ? 0 : 1; layer < 2; layer++) {
      tensors.addAll(layer(layer));
    }
    Random random = new Random(4);
    String module = "model.layers.1.mlp.down_proj.";
    tensors.removeIf(tensor -> tensor.name().startsWith(besidePlain ? module : "model.layers."));
    tensors.add(LayoutSamples.random(module + "qweight", Dtype.I32, List.of(8L, 32L), random));
    tensors.add(LayoutSamples.random(module + "qzeros", Dtype.I32, List.of(2L, 4L), random));
    tensors.add(LayoutSamples.random(module + "scales", Dtype.F16, List.of(2L, 32L), random));
    write(place, tensors, "");
  }

  private static void biased(Place place) throws IOException {
    List<Stored> tensors = sound();
    Stored bias =
        LayoutSamples.random(
            "model.layers.0.self_attn.v_proj.bias", Dtype.F16, List.of(16L), new Random(5));
    for (int i = 0; i < 16; i++) {
      bias = bias.with(i, 0x7BFF);
    }
    tensors.add(bias);
    tensors.add(
        LayoutSamples.random(
            "model.layers.0.self_attn.o_proj.bias", Dtype.F16, List.of(32L), new Random(6)));
    write(place, tensors, ", \"attention_bias\": true");
  }

  /** F16 ends at 65504; two bits have steps that go beyond. */
  private static void nearTheEnd(Place place) throws IOException {
    List<Stored> tensors = sound();
    Random random = new Random(8);
    Stored wide =
        LayoutSamples.random(
            "model.layers.0.mlp.down_proj.weight", Dtype.F16, List.of(32L, 64L), random);
    for (int i = 0; i < 32 * 64; i++) {
      wide = wide.with(i, (random.nextBoolean() ? 0x8000 : 0) | 0x7BF0 + random.nextInt(16));
    }
    Stored last = wide;
    tensors.replaceAll(tensor -> tensor.name().equals(last.name()) ? last : tensor);
    write(place, tensors, "");
  }

  private static List<Stored> outer() {
    Random random = new Random(1);
    return List.of(
        LayoutSamples.random("model.embed_tokens.weight", Dtype.BF16, List.of(64L, 32L), random),
        LayoutSamples.random("lm_head.weight", Dtype.BF16, List.of(64L, 32L), random),
        LayoutSamples.random("model.norm.weight", Dtype.BF16, List.of(32L), random));
  }

  private static List<Stored> layer(int layer) {
    Random random = new Random(2);
    String name = "model.layers." + layer + ".";
    List<Stored> tensors =
        new ArrayList<>(
            List.of(
                LayoutSamples.random(
                    name + "input_layernorm.weight", Dtype.BF16, List.of(32L), random),
                LayoutSamples.random(
                    name + "post_attention_layernorm.weight", Dtype.BF16, List.of(32L), random)));
    for (String matrix :
        List.of(
            "self_attn.q_proj:32x32",
            "self_attn.k_proj:16x32",
            "self_attn.v_proj:16x32",
            "self_attn.o_proj:32x32",
            "mlp.gate_proj:64x32",
            "mlp.up_proj:64x32",
            "mlp.down_proj:32x64")) {
      String[] parts = matrix.split("[:x]");
      tensors.add(
          LayoutSamples.random(
              name + parts[0] + ".weight",
              Dtype.BF16,
              List.of(Long.parseLong(parts[1]), Long.parseLong(parts[2])),
              random));
    }
    return tensors;
  }

  private static void write(Place place, List<Stored> tensors, String more) throws IOException {
    long layers =
        tensors.stream()
            .map(Stored::name)
            .filter(name -> name.endsWith("input_layernorm.weight"))
            .count();
    LayoutSamples.write(place.model(), tensors);
    Files.writeString(
        place.model().resolve("config.json"),
        """
        {"model_type": "llama", "hidden_size": 32, "num_hidden_layers": %d, "num_attention_heads": 4,
         "num_key_value_heads": 2, "intermediate_size": 64, "vocab_size": 64, "max_position_embeddings": 4096,
         "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": false%s}
        """
            .formatted(Math.max(1, layers), more));
  }
}

package io.cafeq.tools;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Awkward checkpoints after public bug reports, made by a script beside the project, through the
 * commands as a user gives them. Skipped without the script, or without a Python ({@code
 * CAFEQ_PYTHON}) that has numpy and ml_dtypes.
 */
class SharedCasesTest {
  private static final Path SCRIPT =
      Path.of("..", "..", "shared", "cases", "make.py").toAbsolutePath().normalize();
  private static final String LAYER_0 = "model.layers.0.";

  @TempDir static Path cases;

  @BeforeAll
  static void make() throws IOException, InterruptedException {
    Assumptions.assumeTrue(Files.isRegularFile(SCRIPT), "no cases beside the project");
    String python = System.getenv().getOrDefault("CAFEQ_PYTHON", "python3");
    Path log = Files.createFile(cases.resolve("log.txt"));
    Process process =
        new ProcessBuilder(python, SCRIPT.toString(), cases.toString())
            .redirectErrorStream(true)
            .redirectOutput(log.toFile())
            .start();
    boolean ended = process.waitFor(2, TimeUnit.MINUTES);
    Assumptions.assumeTrue(ended && process.exitValue() == 0, Files.readString(log));
  }

  @ParameterizedTest
  @CsvSource({
    "04-packed-by-another-gptq, quantized already by gptq, original",
    "04-packed-by-another-nf4, quantized already by bitsandbytes, original",
    "10-adapter-alone, adapter, base model",
    "21-empty-type, lm_head.weight, model.safetensors",
    "23-hub-links-b, link to nothing, config.json"
  })
  void whatIsNoModelIsRefusedAsWhatItIs(String name, String found, String also) {
    for (String command : List.of("plan", "quantize")) {
      CommandRun run =
          command.equals("plan")
              ? CommandRun.of("plan", model(name))
              : CommandRun.of(
                  "quantize", model(name), "--out", cases.resolve("out-of-" + name).toString());
      assertThat(run.exitCode()).as(run.toString()).isEqualTo(ExitCode.CHECKPOINT);
      assertThat(run.err()).contains(found, also);
    }
  }

  @ParameterizedTest
  @CsvSource(
      nullValues = "-",
      value = {
        "01-fused-experts-a, 1, mlp.gate",
        "02-text-model-prefix, 1, vision_model",
        "05-other-output-heads-a, 1, output.weight",
        "06-shared-embedding-t5, 1, shared.weight",
        "07-vision-tower, 1, model.visual",
        "08-linear-attention-gates, .96, in_proj_a",
        "08-linear-attention-gates, .96, in_proj_b",
        "09-infinity-in-config, 1, -",
        "04-packed-by-another-nvfp4, 1, -",
        "17-fp8-by-channel, 1, -",
        "18-fp8-other-scales, 1, -",
        "19-index-names-more, 1, -",
        "20-index-selects, 1, -",
        "22-tokenizer-of-tomorrow, 1, -",
        "23-hub-links-a/snapshots/abc, 1, -",
        "24-one-value-matrix-for-two-layers, 1, -",
        "26-fp8-by-tensor, 1, -",
        "28-prime-width, 1, -"
      })
  void theLayersAreQuantizedAndNothingElse(String name, double least, @Nullable String kept) {
    JsonNode plan = json("plan", model(name), "--statistics", "none");
    long inLayers = 0;
    long quantized = 0;
    for (JsonNode unit : plan.get("units")) {
      for (int i = 0; i < unit.get("tensors").size(); i++) {
        String tensor = unit.get("tensors").get(i).asText();
        boolean isQuantized = unit.get("quantized").asBoolean();
        if (kept != null && tensor.contains(kept)) {
          assertThat(isQuantized).as(tensor).isFalse();
        }
        JsonNode shape = unit.get("shapes").get(i);
        if (shape.size() > 1
            && tensor.matches("(?!.*vision|.*visual).*(layers|block)\\.\\d+\\..*")
            && !tensor.matches(".*(mlp\\.gate\\.|conv1d|bias|scale).*")) {
          long weights = 1;
          for (JsonNode length : shape) {
            weights *= length.asLong();
          }
          inLayers += weights;
          quantized += isQuantized ? weights : 0;
        }
      }
    }
    assertThat((double) quantized / inLayers).isGreaterThanOrEqualTo(least);
    assertThat(plan.get("coverage").get("quantized_weights").asLong())
        .isGreaterThanOrEqualTo(quantized);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "17-fp8-by-channel",
        "18-fp8-other-scales",
        "26-fp8-by-tensor",
        "04-packed-by-another-nvfp4",
        "02-text-model-prefix"
      })
  void valuesAndOutputsArePairedAsTheyWouldBeInFloats(String name) {
    JsonNode plan = json("plan", model(name), "--statistics", "none");
    assertThat(plan.get("units"))
        .anySatisfy(
            unit ->
                assertThat(names(unit))
                    .anyMatch(tensor -> tensor.endsWith("0.self_attn.v_proj.weight"))
                    .anyMatch(tensor -> tensor.endsWith("0.self_attn.o_proj.weight")));
  }

  @ParameterizedTest
  @ValueSource(strings = {"13-tied-above", "14-renamed-expert-count", "15-tied-with-a-head"})
  void whatCurrentLibrariesWriteRuns(String name) throws IOException {
    Path text =
        Files.writeString(
            cases.resolve("text.txt"), "The quick brown fox jumps over the lazy dog. ".repeat(200));
    CommandRun run =
        CommandRun.of(
            "evaluate", model(name), "--text", text.toString(), "--windows", "2", "--window", "32");
    assertThat(run.exitCode()).as(run.toString()).isEqualTo(ExitCode.OK);
    if (name.startsWith("15")) {
      assertThat(run.out() + run.err()).contains("lm_head.weight", "stored head is taken");
    }
  }

  @Test
  void whatTheIndexMeansIsSaid() {
    assertThat(warnings("19-index-names-more"))
        .anyMatch(warning -> warning.contains("mtp.fc.weight"));
    assertThat(warnings("20-index-selects"))
        .anyMatch(warning -> warning.contains(LAYER_0 + "self_attn.q_proj.weight"));
  }

  /**
   * A whole run of those that were refused or lost something, with its proof and an export of plain
   * weights.
   */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "01-fused-experts-a",
        "02-text-model-prefix",
        "04-packed-by-another-nvfp4",
        "06-shared-embedding-t5",
        "17-fp8-by-channel",
        "18-fp8-other-scales",
        "20-index-selects",
        "25-fp8-that-stays",
        "26-fp8-by-tensor"
      })
  void resultsAreSoundAndExportsDescribePlainWeights(String name) throws IOException {
    Path out = cases.resolve("q-" + name);
    Path dense = cases.resolve("d-" + name);
    List<String> options =
        List.of("--steps", "5", "--pair-steps", "5", "--statistics", "none", "--progress", "off");
    List<String> quantize =
        new ArrayList<>(List.of("quantize", model(name), "--out", out.toString()));
    quantize.addAll(options);
    run(quantize);
    run(List.of("verify", out.toString(), "--against", model(name)));
    run(List.of("export", out.toString(), "--format", "dense", "--out", dense.toString()));
    JsonNode config = JsonMapper.builder().build().readTree(dense.resolve("config.json").toFile());
    assertThat(config.has("quantization_config")).isFalse();
    CommandRun listing = CommandRun.of("inspect", dense.toString(), "--json");
    assertThat(listing.out()).doesNotContain("weight_scale", "activation_scale", "F8_E4M3");
  }

  private static void run(List<String> arguments) {
    CommandRun run = CommandRun.of(arguments.toArray(String[]::new));
    assertThat(run.exitCode()).as(run.toString()).isEqualTo(ExitCode.OK);
  }

  private static List<String> warnings(String name) {
    List<String> warnings = new ArrayList<>();
    json("plan", model(name), "--statistics", "none")
        .get("warnings")
        .forEach(warning -> warnings.add(warning.asText()));
    return warnings;
  }

  private static TreeSet<String> names(JsonNode unit) {
    TreeSet<String> names = new TreeSet<>();
    unit.get("tensors").forEach(tensor -> names.add(tensor.asText()));
    return names;
  }

  private static String model(String name) {
    return cases.resolve(name).toString();
  }

  private static JsonNode json(String... arguments) {
    List<String> all = new ArrayList<>(List.of(arguments));
    all.add("--json");
    CommandRun run = CommandRun.of(all.toArray(String[]::new));
    assertThat(run.exitCode()).as(run.toString()).isEqualTo(ExitCode.OK);
    try {
      return JsonMapper.builder().build().readTree(run.out());
    } catch (IOException e) {
      throw new AssertionError(run.toString(), e);
    }
  }
}

package io.cafeq.engine.forward;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.WeightTensor;
import io.cafeq.engine.compute.Numerics;
import io.cafeq.engine.family.MatrixInputs;
import io.cafeq.engine.model.Miniature;
import io.cafeq.engine.statistics.MatrixInput;
import io.cafeq.engine.weights.CheckpointWeights;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The streaming pass in float against the pass in double, for every family. */
@Numerics
class ForwardPassTest {
  private static final double TOLERANCE = 1e-4;
  private static final int VOCABULARY = 50;

  /** What a variant changes in config.json. */
  private static final Map<String, String> VARIANTS =
      Map.ofEntries(
          Map.entry("llama", "{}"),
          Map.entry(
              "llama+llama3",
              """
              {"rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
               "original_max_position_embeddings": 64}}\
              """),
          Map.entry(
              "llama+linear",
              """
              {"rope_scaling": {"type": "linear", "factor": 8.0}}\
              """),
          Map.entry(
              "llama+yarn",
              """
              {"rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16},
               "max_position_embeddings": 64}\
              """),
          Map.entry(
              "llama+dynamic",
              """
              {"rope_scaling": {"rope_type": "dynamic", "factor": 4.0}}\
              """),
          Map.entry("mistral", "{}"),
          Map.entry(
              "mistral+window",
              """
              {"sliding_window": 8}\
              """),
          Map.entry("qwen2", "{}"),
          Map.entry(
              "qwen2+window",
              """
              {"use_sliding_window": true, "sliding_window": 8, "max_window_layers": 1}\
              """),
          Map.entry("qwen3", "{}"),
          Map.entry(
              "qwen3+window",
              """
              {"use_sliding_window": true, "sliding_window": 8, "layer_types": ["full_attention", "sliding_attention"]}\
              """),
          Map.entry("gemma", "{}"),
          Map.entry("gemma2", "{}"),
          Map.entry(
              "gemma2+caps",
              """
              {"attn_logit_softcapping": 1.5, "query_pre_attn_scalar": 4, "sliding_window": 5}\
              """),
          Map.entry("gemma3_text", "{}"),
          Map.entry(
              "gemma3_text+types",
              """
              {"layer_types": ["full_attention", "sliding_attention"], "sliding_window": 5,
               "rope_scaling": {"rope_type": "linear", "factor": 8.0}}\
              """),
          Map.entry("gemma3", "{}"),
          Map.entry("mixtral", "{}"),
          Map.entry(
              "mixtral+window",
              """
              {"sliding_window": 8}\
              """),
          Map.entry(
              "qwen2_moe+window",
              """
              {"use_sliding_window": true, "sliding_window": 8}\
              """),
          Map.entry(
              "qwen3_moe+window",
              """
              {"use_sliding_window": true, "sliding_window": 8, "max_window_layers": 1}\
              """),
          Map.entry(
              "qwen3_moe+step",
              """
              {"decoder_sparse_step": 2, "mlp_only_layers": []}\
              """),
          Map.entry("qwen2_moe", "{}"),
          Map.entry(
              "qwen2_moe+normed",
              """
              {"norm_topk_prob": true}\
              """),
          Map.entry("qwen3_moe", "{}"));

  @TempDir Path folder;

  static Stream<String> variants() {
    return VARIANTS.keySet().stream().sorted();
  }

  static Stream<String> families() {
    return variants().filter(name -> !name.contains("+"));
  }

  @ParameterizedTest
  @MethodSource("variants")
  void statesAreThoseOfThePassInDouble(String name) throws IOException {
    Miniature miniature = write(name, Miniature.Spread.ONE);
    List<int[]> windows = SmallRun.windows(3, 24, VOCABULARY);
    List<double[]> found = SmallRun.states(folder, windows, SmallRun.PLENTY, InputObserver.NONE);
    // Up to the trained length, dynamic scaling does nothing.
    ObjectNode config = name.endsWith("dynamic") ? config("llama") : config(name);
    assertThat(Judge.distance(found, Judge.of(miniature, config, windows).states()))
        .isLessThan(TOLERANCE);
  }

  @ParameterizedTest
  @MethodSource("families")
  void memoryAndShardsChangeNoBit(String name) throws IOException {
    write(name, Miniature.Spread.ONE);
    Path apart = Files.createDirectory(folder.resolve("apart"));
    Miniature.of(name, 1).write(apart, Miniature.Spread.APART);
    // More than one chunk: 512 tokens are 21 windows of 24.
    List<int[]> windows = SmallRun.windows(50, 24, VOCABULARY);
    List<double[]> expected = SmallRun.states(folder, windows, SmallRun.PLENTY, InputObserver.NONE);
    long least = SmallRun.least(folder, 24);
    assertThat(isSpilled(windows, least)).isTrue();
    assertThat(isSpilled(windows, SmallRun.PLENTY)).isFalse();
    for (long memory : List.of(least, least + 20_000, least + 200_000)) {
      List<double[]> found = SmallRun.states(apart, windows, memory, InputObserver.NONE);
      assertThat(Judge.distance(found, expected)).isZero();
    }
    try (Stream<Path> files = Files.list(apart)) {
      assertThat(files.filter(file -> file.toString().endsWith(".scratch"))).isEmpty();
    }
  }

  @ParameterizedTest
  @MethodSource("families")
  void inputsAreThoseOfThePassInDouble(String name) throws IOException {
    Miniature miniature = write(name, Miniature.Spread.ONE);
    List<int[]> windows = SmallRun.windows(30, 24, VOCABULARY);
    Judge judge = Judge.of(miniature, config(name), windows);
    Map<String, List<double[]>> found = new LinkedHashMap<>();
    Map<String, MatrixInput> inputs = new LinkedHashMap<>();
    Map<String, Integer> fallBacks = new LinkedHashMap<>();
    SmallRun.states(
        folder,
        windows,
        SmallRun.PLENTY,
        (input, matrices, x) -> {
          assertThat(input.channels()).isEqualTo(x.columns());
          if (matrices.isEmpty()) {
            fallBacks.merge(input.name(), x.rows(), Integer::sum);
          }
          for (String matrix : matrices) {
            inputs.put(matrix, input);
            found.computeIfAbsent(matrix, key -> new ArrayList<>()).addAll(Judge.rows(x));
          }
        });
    assertThat(found.keySet()).containsExactlyInAnyOrderElementsOf(judge.inputs().keySet());
    judge
        .inputs()
        .forEach(
            (matrix, expected) ->
                assertThat(Judge.distance(found.getOrDefault(matrix, List.of()), expected))
                    .as(matrix)
                    .isLessThan(TOLERANCE));
    assertNames(inputs, fallBacks, found);
  }

  /** Names are the family's, and what experts fall back on has seen what all of them saw. */
  private void assertNames(
      Map<String, MatrixInput> inputs,
      Map<String, Integer> fallBacks,
      Map<String, List<double[]>> found) {
    Map<String, Integer> ofExperts = new LinkedHashMap<>();
    Set<String> shared = new HashSet<>();
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      MatrixInputs family = MatrixInputs.of(checkpoint);
      inputs.forEach(
          (matrix, input) -> {
            WeightTensor weight = WeightTensor.plain(checkpoint.tensor(matrix).orElseThrow());
            assertThat(family.of(weight, 0)).contains(input);
            input
                .fallBack()
                .ifPresent(
                    fallBack -> {
                      ofExperts.merge(
                          fallBack, found.getOrDefault(matrix, List.of()).size(), Integer::sum);
                      if (!fallBack.contains("experts.")) {
                        shared.add(fallBack);
                      }
                    });
          });
    }
    assertThat(fallBacks.keySet()).containsExactlyInAnyOrderElementsOf(ofExperts.keySet());
    // Two experts a token; gate and up of each read what the fall-back has seen once.
    fallBacks.forEach(
        (name, rows) ->
            assertThat(rows)
                .as(name)
                .isEqualTo(ofExperts.getOrDefault(name, 0) / (shared.contains(name) ? 4 : 1)));
  }

  @ParameterizedTest
  @MethodSource("families")
  void logitsAreThoseOfTheHead(String name) throws IOException {
    Miniature miniature = write(name, Miniature.Spread.ONE);
    List<int[]> windows = SmallRun.windows(2, 24, VOCABULARY);
    List<double[]> states = Judge.of(miniature, config(name), windows).states();
    assertThat(Judge.distance(Logits.of(folder, windows), Logits.inDouble(miniature, states)))
        .isLessThan(TOLERANCE);
  }

  /** Whether the states go through a scratch file, which has no name that could be seen. */
  private boolean isSpilled(List<int[]> windows, long memory) {
    try (Checkpoint checkpoint = Checkpoint.open(folder);
        CheckpointWeights weights = CheckpointWeights.of(checkpoint)) {
      return PassMemory.of(Decoder.of(weights), windows, memory).spilled();
    }
  }

  private Miniature write(String name, Miniature.Spread spread) throws IOException {
    Miniature miniature = Miniature.of(name.split("\\+")[0], 1);
    miniature.write(folder, spread);
    Files.writeString(folder.resolve("config.json"), config(name).toPrettyString());
    return miniature;
  }

  private static ObjectNode config(String name) throws JsonProcessingException {
    ObjectNode config = Miniature.of(name.split("\\+")[0], 1).config().deepCopy();
    config.setAll((ObjectNode) new ObjectMapper().readTree(VARIANTS.get(name)));
    return config;
  }
}

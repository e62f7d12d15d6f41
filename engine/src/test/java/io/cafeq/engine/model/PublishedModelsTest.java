package io.cafeq.engine.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.cafeq.engine.checkpoint.Checkpoint;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The forward passes agree with those that are in use. {@code families/last-states.txt} holds what
 * transformers 4.57.1 computes in double (rotary embeddings and some routers in float) for the
 * miniatures with seed 1: name, or name+variant; the norm of the last token's final state; its
 * first five channels.
 */
class PublishedModelsTest {
  private static final int[] TOKENS = {
    3, 14, 15, 9, 26, 5, 35, 8, 9, 7, 9, 32, 38, 46, 26, 43, 38, 32, 7, 40
  };

  /** What a variant changes in config.json, or in its text_config. */
  private static final Map<String, String> VARIANTS =
      Map.of(
          "llama3",
              """
              {"rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
               "original_max_position_embeddings": 64}}\
              """,
          "linear",
              """
              {"rope_scaling": {"rope_type": "linear", "factor": 8.0}}\
              """,
          "yarn",
              """
              {"rope_scaling": {"rope_type": "yarn", "factor": 32.0, "beta_fast": 32.0, "beta_slow": 1.0, "truncate": false,
               "original_max_position_embeddings": 4096}, "rope_theta": 150000.0, "max_position_embeddings": 131072}\
              """,
          "yarn-latent",
              """
              {"rope_scaling": {"type": "yarn", "factor": 40.0, "beta_fast": 32.0, "beta_slow": 1.0, "mscale": 1.0,
               "mscale_all_dim": 1.0, "original_max_position_embeddings": 4096}, "max_position_embeddings": 163840}\
              """,
          "groups",
              """
              {"n_group": 2, "topk_group": 1}\
              """,
          "temperature",
              """
              {"attn_temperature_tuning": true, "floor_scale": 4}\
              """,
          "serial",
              """
              {"use_parallel_residual": false}\
              """,
          "window",
              """
              {"sliding_window": 8}\
              """);

  static Stream<String> names() throws IOException {
    return golden().keySet().stream();
  }

  @ParameterizedTest
  @MethodSource("names")
  void theLastStateIsThePublishedModels(String name) throws IOException {
    double[] expected = Objects.requireNonNull(golden().get(name));
    double[][] hidden = ForwardPass.of(model(name)).run(TOKENS).hidden();
    double[] last = hidden[hidden.length - 1];
    double norm = Math.sqrt(Arrays.stream(last).map(value -> value * value).sum());
    double tolerance = 3e-6 * expected[0];
    assertThat(norm).isCloseTo(expected[0], within(tolerance));
    for (int i = 0; i < 5; i++) {
      assertThat(last[i]).isCloseTo(expected[1 + i], within(tolerance));
    }
  }

  @Test
  void everyForwardPassIsCompared() throws IOException {
    assertThat(golden().keySet()).containsAll(Miniature.NAMES);
  }

  /** Figures of the project's independent perplexity script, in double. */
  @Test
  void aTrainedModelsLastState() {
    Optional<Path> folder =
        Stream.iterate(Path.of("").toAbsolutePath(), path -> path != null, Path::getParent)
            .map(path -> path.resolve("shared/data/tinystories-656k"))
            .filter(Files::isDirectory)
            .findFirst();
    assumeTrue(folder.isPresent(), "no shared/data/tinystories-656k beside the repository");
    try (Checkpoint checkpoint = Checkpoint.open(folder.get())) {
      SortedMap<String, DoubleTensor> tensors =
          new TreeMap<>(StoredTensors.read(folder.get()).tensors());
      checkpoint
          .aliases()
          .forEach(
              (alias, stored) -> tensors.put(alias, Objects.requireNonNull(tensors.get(stored))));
      if (!tensors.containsKey("model.embed_tokens.weight")) {
        tensors.put(
            "model.embed_tokens.weight", Objects.requireNonNull(tensors.get("lm_head.weight")));
      }
      double[][] hidden =
          ForwardPass.of(Model.of(checkpoint.config().json(), new Weights(tensors)))
              .run(TOKENS)
              .hidden();
      assertThat(Arrays.copyOf(hidden[TOKENS.length - 1], 5))
          .containsExactly(
              new double[] {-0.102361, 1.290706, 0.582093, 0.697904, -0.134527}, within(1e-5));
    }
  }

  private static Model model(String name) throws JsonProcessingException {
    List<String> parts = List.of(name.split("\\+"));
    Miniature miniature = Miniature.of(parts.getFirst(), 1);
    ObjectNode config = miniature.config().deepCopy();
    if (parts.size() == 2) {
      ObjectNode text = config.path("text_config") instanceof ObjectNode inner ? inner : config;
      text.setAll((ObjectNode) new ObjectMapper().readTree(VARIANTS.get(parts.getLast())));
    }
    return Model.of(config, miniature.weights());
  }

  private static Map<String, double[]> golden() throws IOException {
    Map<String, double[]> golden = new LinkedHashMap<>();
    try (InputStream stream =
        PublishedModelsTest.class.getResourceAsStream("/families/last-states.txt")) {
      String text =
          new String(Objects.requireNonNull(stream).readAllBytes(), StandardCharsets.UTF_8);
      text.lines()
          .map(line -> line.split(" "))
          .forEach(
              parts ->
                  golden.put(
                      parts[0],
                      Arrays.stream(parts).skip(1).mapToDouble(Double::parseDouble).toArray()));
    }
    return golden;
  }
}

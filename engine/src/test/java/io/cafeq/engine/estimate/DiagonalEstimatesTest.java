package io.cafeq.engine.estimate;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.family.FamilyShapes;
import io.cafeq.engine.model.DoubleTensor;
import io.cafeq.engine.model.Miniature;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Estimates of families against the definition, and of all families that none is missing. */
class DiagonalEstimatesTest {
  static final List<String> NAMES = FamilyShapes.NAMES;
  private static final Percentage CLOSE = Percentage.withPercentage(1e-3);
  private static final Set<String> UNGATED =
      Set.of("gpt2", "gpt_neox", "bert", "roberta", "distilbert");
  private static final float[] NOTHING = {};
  private static final int EXPERTS = 4;
  private static final int HALF = 96;

  @TempDir private Path folder;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "llama",
        "mistral",
        "qwen2",
        "qwen3",
        "gemma",
        "gemma2",
        "gemma3_text",
        "phi3",
        "mixtral",
        "gpt_oss_dense"
      })
  void everyFeatureIsThatOfTheDefinition(String family) {
    Miniature miniature = Miniature.of(family, 3);
    List<ReferenceEstimate.Layer> layers = List.of(layer(miniature, 0), layer(miniature, 1));
    int heads = miniature.config().path("num_attention_heads").asInt();
    int keyHeads = miniature.config().path("num_key_value_heads").asInt();
    double[][] embedding = matrix(miniature, "model.embed_tokens.weight");
    SortedMap<String, double[]> expected = ReferenceEstimate.of(embedding, layers, heads, keyHeads);

    SortedMap<String, float[]> found = estimate(miniature);

    assertThat(found.keySet()).containsExactlyElementsOf(expected.keySet());
    found.forEach(
        (input, diagonal) -> {
          double[] reference = Objects.requireNonNull(expected.get(input));
          assertThat(diagonal).as(input).hasSize(reference.length);
          for (int i = 0; i < reference.length; i++) {
            assertThat((double) diagonal[i])
                .as("%s, channel %d", input, i)
                .isCloseTo(reference[i], CLOSE);
          }
        });
  }

  @ParameterizedTest
  @FieldSource("NAMES")
  void everyFamilyHasEstimatesOfMeanOne(String family) throws Exception {
    Miniature miniature = Miniature.of(family, 5);
    SortedMap<String, float[]> found = estimate(miniature);
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      ModelLayout layout = ModelLayout.of(checkpoint);
      assertThat(layout.isEmpty()).isFalse();
      found.forEach(
          (input, diagonal) -> {
            double mean = IntStream.range(0, diagonal.length).mapToDouble(i -> diagonal[i]).sum();
            assertThat(mean / diagonal.length).as(input).isBetween(0.5, 1.5);
            if (UNGATED.contains(family)) {
              assertThat(layout.basis(input)).get().isInstanceOf(Basis.Floor.class);
            }
          });
    }
  }

  /** A floor is 1 / mean square of V for queries, keys and values, and of the matrix elsewhere. */
  @Test
  void theFloorIsWhatColumnsAreSmallIn() {
    Miniature miniature = Miniature.of("gpt2", 5);
    SortedMap<String, float[]> found = estimate(miniature);
    String layer = "h.0.";
    double[][] qkv = transposed(matrix(miniature, layer + "attn.c_attn.weight"));
    int hidden = qkv.length / 3;
    double[][] values = ReferenceEstimate.rows(qkv, 2 * hidden, 1, hidden);
    assertFloor(found.getOrDefault(layer + "attn", NOTHING), values);
    assertFloor(found.getOrDefault(layer + "mlp", NOTHING), transposed(matrix(miniature, layer + "mlp.c_fc.weight")));
    assertFloor(
        found.getOrDefault(layer + "mlp.c_proj.weight", NOTHING),
        transposed(matrix(miniature, layer + "mlp.c_proj.weight")));
    assertFloor(
        found.getOrDefault(layer + "attn.c_proj.weight", NOTHING),
        transposed(matrix(miniature, layer + "attn.c_proj.weight")));
  }

  @Test
  void theTensorsThatAreReadAreThoseThatAreNamed() throws Exception {
    Miniature.of("mixtral", 5).write(folder, Miniature.Spread.ONE);
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      ModelLayout layout = ModelLayout.of(checkpoint);
      Set<String> read = new TreeSet<>();
      try (DiagonalEstimates estimates =
          DiagonalEstimates.open(
              checkpoint, layout, tensor -> read.add(tensor.name()), new StopFlag())) {
        LayerEstimates layers = estimates.layers(estimates.gather(), Coefficients.builtIn());
        layout.layers().keySet().forEach(layer -> layers.of(layer, input -> true));
      }
      assertThat(layout.tensors()).containsAll(read);
      Set<String> unread = new TreeSet<>(layout.tensors());
      unread.removeAll(read);
      assertThat(unread).allMatch(name -> name.endsWith("k_proj.weight"));
      assertThat(checkpoint.tensors())
          .extracting(TensorInfo::name)
          .filteredOn(name -> name.contains("router") || name.contains("lm_head"))
          .doesNotContainAnyElementsOf(layout.tensors());
    }
  }

  private SortedMap<String, float[]> estimate(Miniature miniature) {
    miniature.write(folder, Miniature.Spread.ONE);
    SortedMap<String, float[]> found = new TreeMap<>();
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      ModelLayout layout = ModelLayout.of(checkpoint);
      try (DiagonalEstimates estimates =
          DiagonalEstimates.open(checkpoint, layout, tensor -> {}, new StopFlag())) {
        LayerEstimates layers = estimates.layers(estimates.gather(), Coefficients.builtIn());
        layout.layers().keySet().forEach(layer -> found.putAll(layers.of(layer, input -> true)));
      }
    }
    return found;
  }

  private static void assertFloor(float[] diagonal, double[][] rows) {
    assertThat(diagonal).hasSize(rows[0].length);
    double[] expected =
        IntStream.range(0, diagonal.length)
            .mapToDouble(j -> 1 / Arrays.stream(rows).mapToDouble(row -> row[j] * row[j]).sum())
            .toArray();
    double mean = Arrays.stream(expected).average().orElseThrow();
    for (int j = 0; j < expected.length; j++) {
      assertThat((double) diagonal[j]).isCloseTo(expected[j] / mean, CLOSE);
    }
  }

  private static ReferenceEstimate.Layer layer(Miniature miniature, int number) {
    String layer = "model.layers." + number + ".";
    String attention = layer + "self_attn";
    boolean fused = miniature.weights().has(attention + ".qkv_proj.weight");
    double[][] q;
    double[][] v;
    if (fused) {
      double[][] all = matrix(miniature, attention + ".qkv_proj.weight");
      int half = all.length / 2;
      q = ReferenceEstimate.rows(all, 0, 1, half);
      v = ReferenceEstimate.rows(all, half + half / 2, 1, half / 2);
    } else {
      q = matrix(miniature, attention + ".q_proj.weight");
      v = matrix(miniature, attention + ".v_proj.weight");
    }
    String output = attention + ".o_proj.weight";
    List<ReferenceEstimate.Expert> experts = experts(miniature, layer);
    String mlp =
        miniature.name().equals("mixtral")
            ? layer + "block_sparse_moe.experts"
            : miniature.name().equals("gpt_oss_dense") ? layer + "mlp.experts" : layer + "mlp";
    return new ReferenceEstimate.Layer(
        attention, mlp, q, v, matrix(miniature, output), output, norms(miniature, layer), experts);
  }

  private static double[][] norms(Miniature miniature, String layer) {
    boolean sandwich = miniature.weights().has(layer + "pre_feedforward_layernorm.weight");
    double[] second = gain(miniature, layer + "post_attention_layernorm.weight");
    return new double[][] {
      gain(miniature, layer + "input_layernorm.weight"),
      sandwich ? gain(miniature, layer + "pre_feedforward_layernorm.weight") : second,
      sandwich ? second : new double[0],
      sandwich ? gain(miniature, layer + "post_feedforward_layernorm.weight") : new double[0]
    };
  }

  private static double[] gain(Miniature miniature, String name) {
    double plus = miniature.name().startsWith("gemma") ? 1 : 0;
    return Arrays.stream(miniature.weights().vector(name)).map(weight -> weight + plus).toArray();
  }

  private static List<ReferenceEstimate.Expert> experts(Miniature miniature, String layer) {
    List<ReferenceEstimate.Expert> experts = new ArrayList<>();
    switch (miniature.name()) {
      case "mixtral" -> {
        for (int expert = 0; expert < EXPERTS; expert++) {
          String own = layer + "block_sparse_moe.experts." + expert;
          experts.add(
              new ReferenceEstimate.Expert(
                  matrix(miniature, own + ".w1.weight"),
                  matrix(miniature, own + ".w3.weight"),
                  matrix(miniature, own + ".w2.weight"),
                  own + ".w2.weight"));
        }
      }
      case "gpt_oss_dense" -> {
        for (int expert = 0; expert < EXPERTS; expert++) {
          String all = layer + "mlp.experts.";
          double[][] both =
              transposed(matrix(miniature.weights().get(all + "gate_up_proj"), expert));
          experts.add(
              new ReferenceEstimate.Expert(
                  ReferenceEstimate.rows(both, 0, 2, HALF),
                  ReferenceEstimate.rows(both, 1, 2, HALF),
                  transposed(matrix(miniature.weights().get(all + "down_proj"), expert)),
                  all + expert + ".down_proj.weight"));
        }
      }
      case "phi3" -> {
        double[][] both = matrix(miniature, layer + "mlp.gate_up_proj.weight");
        experts.add(
            new ReferenceEstimate.Expert(
                ReferenceEstimate.rows(both, 0, 1, HALF),
                ReferenceEstimate.rows(both, HALF, 1, HALF),
                matrix(miniature, layer + "mlp.down_proj.weight"),
                layer + "mlp.down_proj.weight"));
      }
      default ->
          experts.add(
              new ReferenceEstimate.Expert(
                  matrix(miniature, layer + "mlp.gate_proj.weight"),
                  matrix(miniature, layer + "mlp.up_proj.weight"),
                  matrix(miniature, layer + "mlp.down_proj.weight"),
                  layer + "mlp.down_proj.weight"));
    }
    return experts;
  }

  private static double[][] matrix(Miniature miniature, String name) {
    return matrix(miniature.weights().get(name), 0);
  }

  private static double[][] matrix(DoubleTensor tensor, int expert) {
    double[][] rows = new double[tensor.rows()][tensor.columns()];
    for (int i = 0; i < rows.length; i++) {
      for (int j = 0; j < rows[i].length; j++) {
        rows[i][j] = tensor.at(expert, i, j);
      }
    }
    return rows;
  }

  private static double[][] transposed(double[][] matrix) {
    double[][] transposed = new double[matrix[0].length][matrix.length];
    for (int i = 0; i < matrix.length; i++) {
      for (int j = 0; j < matrix[i].length; j++) {
        transposed[j][i] = matrix[i][j];
      }
    }
    return transposed;
  }
}

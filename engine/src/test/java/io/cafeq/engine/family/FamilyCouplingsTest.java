package io.cafeq.engine.family;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.family.Coupling.Head;
import io.cafeq.engine.family.Coupling.Kind;
import io.cafeq.engine.family.ModelFamily.Couplings;
import io.cafeq.engine.modelconfig.ModelConfig;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.FieldSource;
import org.junit.jupiter.params.provider.ValueSource;

class FamilyCouplingsTest {
  private static final List<Head> GROUPS_OF_TWO =
      List.of(new Head(16, 0, List.of(0, 16)), new Head(16, 16, List.of(32, 48)));

  @ParameterizedTest
  @ValueSource(
      strings = {
        "llama",
        "mistral",
        "qwen3",
        "mixtral",
        "qwen3_moe",
        "qwen2",
        "qwen2_moe",
        "gpt_oss",
        "gpt_oss_dense"
      })
  void aKeyValueHeadServesTheQueryHeadsOfItsGroup(String name) {
    FamilyShapes shapes = FamilyShapes.of(name);
    Couplings couplings = couplings(shapes);
    assertThat(couplings.refused()).isEmpty();
    assertThat(couplings.legal()).hasSize(2);
    for (int layer = 0; layer < 2; layer++) {
      String start = "model.layers." + layer + ".self_attn.";
      boolean biased = shapes.headers().containsKey(start + "v_proj.bias");
      assertThat(biased).isEqualTo(name.startsWith("qwen2") || name.startsWith("gpt_oss"));
      assertThat(couplings.legal().get(layer))
          .isEqualTo(
              new Coupling(
                  Kind.VALUE_OUTPUT,
                  start + "v_proj.weight",
                  biased ? Optional.of(start + "v_proj.bias") : Optional.empty(),
                  start + "o_proj.weight",
                  Optional.empty(),
                  GROUPS_OF_TWO));
    }
  }

  @ParameterizedTest
  @CsvSource({
    "gemma, model.",
    "gemma2, model.",
    "gemma3_text, model.",
    "gemma3, language_model.model."
  })
  void gemmasHeadsAreAsLargeAsTheConfigurationSays(String name, String prefix) {
    Couplings couplings = couplings(FamilyShapes.of(name));
    assertThat(couplings.refused()).isEmpty();
    assertThat(couplings.legal())
        .hasSize(2)
        .last()
        .satisfies(
            coupling -> {
              assertThat(coupling.left()).isEqualTo(prefix + "layers.1.self_attn.v_proj.weight");
              assertThat(coupling.heads())
                  .isEqualTo(
                      name.equals("gemma")
                          ? List.of(new Head(32, 0, List.of(0, 32, 64, 96)))
                          : List.of(
                              new Head(32, 0, List.of(0, 32)), new Head(32, 32, List.of(64, 96))));
            });
  }

  @Test
  void whatTheTextConfigurationLeavesOutIsTakenFromTheShapes() {
    FamilyShapes shapes = FamilyShapes.of("gemma3");
    ObjectNode config = shapes.configObject();
    ((ObjectNode) config.path("text_config"))
        .remove(List.of("num_attention_heads", "num_key_value_heads", "head_dim"));
    assertThat(couplings(config, shapes.headers())).isEqualTo(couplings(shapes));
  }

  @Test
  void fusedValuesFollowQueriesAndKeys() {
    Couplings couplings = couplings(FamilyShapes.of("phi3"));
    assertThat(couplings.refused()).isEmpty();
    assertThat(couplings.legal())
        .hasSize(2)
        .first()
        .isEqualTo(
            new Coupling(
                Kind.VALUE_OUTPUT,
                "model.layers.0.self_attn.qkv_proj.weight",
                Optional.empty(),
                "model.layers.0.self_attn.o_proj.weight",
                Optional.empty(),
                List.of(new Head(16, 96, List.of(0, 16)), new Head(16, 112, List.of(32, 48)))));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "transformer."})
  void gpt2CouplesValuesAndKeysWithTheirBiases(String prefix) {
    FamilyShapes shapes = FamilyShapes.of("gpt2");
    Map<String, TensorInfo> headers = new LinkedHashMap<>();
    shapes.headers().forEach((name, info) -> headers.put(prefix + name, info));
    Couplings couplings = couplings(shapes.configObject(), headers);
    assertThat(couplings.refused()).isEmpty();
    String fused = prefix + "h.0.attn.c_attn.weight";
    Optional<String> bias = Optional.of(prefix + "h.0.attn.c_attn.bias");
    assertThat(couplings.legal())
        .hasSize(4)
        .startsWith(
            new Coupling(
                Kind.VALUE_OUTPUT,
                fused,
                bias,
                prefix + "h.0.attn.c_proj.weight",
                Optional.empty(),
                heads("128>0 144>16 160>32 176>48")),
            new Coupling(
                Kind.QUERY_KEY, fused, bias, fused, bias, heads("64>0 80>16 96>32 112>48")));
  }

  @Test
  void gptNeoxLiesHeadByHead() {
    Couplings couplings = couplings(FamilyShapes.of("gpt_neox"));
    String start = "gpt_neox.layers.0.attention.";
    assertThat(couplings.refused()).isEmpty();
    assertThat(couplings.legal())
        .hasSize(2)
        .first()
        .isEqualTo(
            new Coupling(
                Kind.VALUE_OUTPUT,
                start + "query_key_value.weight",
                Optional.of(start + "query_key_value.bias"),
                start + "dense.weight",
                Optional.empty(),
                heads("32>0 80>16 128>32 176>48")));
  }

  @ParameterizedTest
  @CsvSource({
    "bert, bert.encoder.layer.0.attention., self.query, self.key, self.value, output.dense",
    "roberta, encoder.layer.0.attention., self.query, self.key, self.value, output.dense",
    "distilbert, distilbert.transformer.layer.0.attention., q_lin, k_lin, v_lin, out_lin"
  })
  void encodersCoupleBoth(
      String name, String start, String query, String key, String value, String output) {
    Couplings couplings = couplings(FamilyShapes.of(name));
    assertThat(couplings.refused()).isEmpty();
    assertThat(couplings.legal())
        .hasSize(4)
        .startsWith(
            new Coupling(
                Kind.VALUE_OUTPUT,
                start + value + ".weight",
                Optional.of(start + value + ".bias"),
                start + output + ".weight",
                Optional.empty(),
                heads("0>0 16>16 32>32 48>48")),
            new Coupling(
                Kind.QUERY_KEY,
                start + key + ".weight",
                Optional.of(start + key + ".bias"),
                start + query + ".weight",
                Optional.of(start + query + ".bias"),
                heads("0>0 16>16 32>32 48>48")));
  }

  @ParameterizedTest
  @ValueSource(strings = {"relative_key", "relative_key_query"})
  void relativePositionsStandBetweenQueriesAndKeys(String type) {
    FamilyShapes shapes = FamilyShapes.of("roberta");
    Couplings couplings =
        couplings(shapes.configObject().put("position_embedding_type", type), shapes.headers());
    assertThat(couplings.legal())
        .hasSize(2)
        .allMatch(coupling -> coupling.kind() == Kind.VALUE_OUTPUT);
    assertThat(couplings.refused())
        .containsExactly(
            "Layers 0 and 1 have no query-key pairs: positions of type "
                + type
                + " act between queries and keys.");
  }

  @ParameterizedTest
  @CsvSource({"deepseek_v2, q_proj", "deepseek_v3, q_b_proj"})
  void latentAttentionCouplesWhatHasNoPosition(String name, String query) {
    Couplings couplings = couplings(FamilyShapes.of(name));
    String start = "model.layers.1.self_attn.";
    assertThat(couplings.legal())
        .hasSize(4)
        .endsWith(
            new Coupling(
                Kind.VALUE_OUTPUT,
                start + "kv_b_proj.weight",
                Optional.empty(),
                start + "o_proj.weight",
                Optional.empty(),
                heads("16>0 48>16 80>32 112>48")),
            new Coupling(
                Kind.QUERY_KEY,
                start + "kv_b_proj.weight",
                Optional.empty(),
                start + query + ".weight",
                Optional.empty(),
                heads("0>0 32>24 64>48 96>72")));
    if (name.equals("deepseek_v2")) {
      assertThat(couplings.refused()).isEmpty();
    } else {
      assertThat(couplings.refused())
          .singleElement()
          .asString()
          .startsWith("Layer 2 has no value-output pair: ");
    }
  }

  @Test
  void latentHeadsOfOtherSizes() {
    FamilyShapes shapes = FamilyShapes.of("deepseek_v2");
    Map<String, TensorInfo> headers = shapes.headers();
    for (int layer = 0; layer < 2; layer++) {
      reshape(headers, "model.layers." + layer + ".self_attn.kv_b_proj.weight", 4 * (16 + 12), 32);
      reshape(headers, "model.layers." + layer + ".self_attn.o_proj.weight", 64, 4 * 12);
    }
    Couplings couplings = couplings(shapes.configObject().put("v_head_dim", 12), headers);
    assertThat(couplings.refused()).isEmpty();
    assertThat(couplings.legal().getFirst().heads())
        .isEqualTo(
            List.of(
                new Head(12, 16, List.of(0)),
                new Head(12, 44, List.of(12)),
                new Head(12, 72, List.of(24)),
                new Head(12, 100, List.of(36))));
    assertThat(couplings.legal().get(1).heads()).isEqualTo(heads("0>0 28>24 56>48 84>72"));
  }

  @Test
  void llama4CouplesQueriesAndKeysWhereNothingIsRotated() {
    Couplings couplings = couplings(FamilyShapes.of("llama4"));
    String start = "language_model.model.layers.1.self_attn.";
    assertThat(couplings.legal())
        .hasSize(3)
        .last()
        .isEqualTo(
            new Coupling(
                Kind.QUERY_KEY,
                start + "k_proj.weight",
                Optional.empty(),
                start + "q_proj.weight",
                Optional.empty(),
                GROUPS_OF_TWO));
    assertThat(couplings.refused())
        .containsExactly(
            "Layer 0 has no query-key pair: there is rotary embedding between queries and keys.");
  }

  /** 1 says that rotary embedding is used; nothing said, every fourth layer goes without. */
  @ParameterizedTest
  @CsvSource(
      nullValues = "-",
      value = {
        "'[1, 0, 1, 1, 0, 1, 1, 1]', -, '1, 4'",
        "'[]', -, '3, 7'",
        "null, -, '3, 7'",
        "-, -, '3, 7'",
        "'[]', 3, '2, 5'",
        "'[0]', -, '0'",
        "'[2, 0, true, 1, 1, 1, 1, 1]', -, '1'",
        "'{}', -, ''",
        "17, -, ''"
      })
  void layersWithoutRotaryEmbedding(
      @Nullable String list, @Nullable Integer interval, String expected) throws Exception {
    FamilyShapes shapes = FamilyShapes.of("llama4");
    ObjectNode config = shapes.configObject();
    ObjectNode text = ((ObjectNode) config.path("text_config")).put("num_hidden_layers", 8);
    text.remove("no_rope_layers");
    if (list != null) {
      text.set("no_rope_layers", new ObjectMapper().readTree(list));
    }
    if (interval != null) {
      text.put("no_rope_layer_interval", interval);
    }
    Map<String, TensorInfo> headers = new LinkedHashMap<>();
    for (int layer = 0; layer < 8; layer++) {
      String number = ".layers." + layer + ".";
      shapes
          .headers()
          .forEach((name, info) -> headers.put(name.replace(".layers.0.", number), info));
    }
    headers.keySet().removeIf(name -> name.contains("feed_forward"));
    assertThat(
            couplings(config, headers).legal().stream()
                .filter(coupling -> coupling.kind() == Kind.QUERY_KEY)
                .map(coupling -> coupling.left().replaceAll("\\D", ""))
                .collect(Collectors.joining(", ")))
        .isEqualTo(expected);
  }

  @ParameterizedTest
  @FieldSource("io.cafeq.engine.family.FamilyShapes#NAMES")
  void theOrderAndTheFilesOfTensorsDoNotMatter(String name) {
    FamilyShapes shapes = FamilyShapes.of(name);
    Map<String, TensorInfo> shuffled = new LinkedHashMap<>();
    shapes.headers().values().stream()
        .toList()
        .reversed()
        .forEach(
            info ->
                shuffled.put(
                    info.name(),
                    new TensorInfo(
                        info.name(),
                        info.dtype(),
                        info.shape(),
                        "model-" + (shuffled.size() % 3),
                        info.position(),
                        info.bytes())));
    assertThat(couplings(shapes.configObject(), shuffled)).isEqualTo(couplings(shapes));
  }

  @ParameterizedTest
  @FieldSource("io.cafeq.engine.family.FamilyShapes#NAMES")
  void pairsStayWithinTheirTensorsAndNeverOverlap(String name) {
    FamilyShapes shapes = FamilyShapes.of(name);
    ModelFamily family =
        ModelDescription.of(ModelConfig.of(shapes.configObject()), shapes.shapes()).family();
    Map<String, TensorInfo> headers = shapes.headers();
    for (Coupling coupling : couplings(shapes).legal()) {
      boolean values = coupling.kind() == Kind.VALUE_OUTPUT;
      boolean[] left = new boolean[length(family, headers, coupling.left(), false)];
      boolean[] right = new boolean[length(family, headers, coupling.right(), values)];
      for (Head head : coupling.heads()) {
        take(left, head.left(), head.size());
        head.right().forEach(first -> take(right, first, head.size()));
      }
      if (values) {
        assertThat(right).as(coupling.right()).doesNotContain(false);
      }
    }
  }

  private static void take(boolean[] taken, int first, int size) {
    for (int i = first; i < first + size; i++) {
      assertThat(taken[i]).isFalse();
      taken[i] = true;
    }
  }

  private static int length(
      ModelFamily family, Map<String, TensorInfo> headers, String name, boolean columns) {
    TensorInfo info = Objects.requireNonNull(headers.get(name));
    return columns == family.place(name).transposed() ? info.rows() : info.columns();
  }

  /** Heads of 16: first row on the left, then what it meets on the right. */
  private static List<Head> heads(String text) {
    return Arrays.stream(text.split(" "))
        .map(head -> head.split(">"))
        .map(pair -> new Head(16, Integer.parseInt(pair[0]), List.of(Integer.valueOf(pair[1]))))
        .toList();
  }

  private static void reshape(Map<String, TensorInfo> headers, String name, long... shape) {
    TensorInfo info = Objects.requireNonNull(headers.get(name));
    headers.put(
        name,
        new TensorInfo(
            name,
            info.dtype(),
            Arrays.stream(shape).boxed().toList(),
            info.file(),
            info.position(),
            Arrays.stream(shape).reduce(1, (a, b) -> a * b) * info.dtype().bytes()));
  }

  private static Couplings couplings(FamilyShapes shapes) {
    return couplings(shapes.configObject(), shapes.headers());
  }

  private static Couplings couplings(ObjectNode config, Map<String, TensorInfo> tensors) {
    return ModelDescription.of(ModelConfig.of(config), CouplingsBridge.shapes(tensors))
        .family()
        .couplings(tensors);
  }
}

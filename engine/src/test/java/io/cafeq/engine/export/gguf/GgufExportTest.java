package io.cafeq.engine.export.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cafeq.engine.block.ResultReader;
import io.cafeq.engine.block.TensorHeader;
import io.cafeq.engine.export.ExportProgress;
import io.cafeq.engine.export.ExportRecord;
import io.cafeq.engine.export.ExportRequest;
import io.cafeq.engine.export.Exported;
import io.cafeq.engine.export.Exports;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.family.FamilyShapes;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.model.Miniature;
import io.cafeq.engine.model.QuantizedFolder;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Files have the weights of the result, bit for bit, under llama.cpp's names. */
class GgufExportTest {
  @TempDir Path folder;

  static Stream<Arguments> families() {
    return Stream.of(
        Arguments.of("llama", "4", "signed", "llama", GgufType.Q4_0),
        Arguments.of("mistral", "4", "f16-minimum", "llama", GgufType.Q4_1),
        Arguments.of("mixtral", "5", "signed", "llama", GgufType.Q5_0),
        Arguments.of("qwen2", "5", "f16-minimum", "qwen2", GgufType.Q5_1),
        Arguments.of("qwen3", "8", "signed", "qwen3", GgufType.Q8_0),
        Arguments.of("qwen2_moe", "4", "signed", "qwen2moe", GgufType.Q4_0),
        Arguments.of("qwen3_moe", "4", "signed", "qwen3moe", GgufType.Q4_0),
        Arguments.of("gemma", "4", "signed", "gemma", GgufType.Q4_0),
        Arguments.of("gemma2", "4", "f16-minimum", "gemma2", GgufType.Q4_1),
        Arguments.of("gemma3_text", "5", "signed", "gemma3", GgufType.Q5_0),
        Arguments.of("phi3", "4", "signed", "phi3", GgufType.Q4_0));
  }

  @ParameterizedTest
  @MethodSource("families")
  void everyFamilyIsWritten(
      String family, String bits, String scales, String architecture, GgufType type)
      throws IOException {
    make(miniature(family), Map.of("bits", bits, "scales", scales));

    Exported exported = export(Map.of());

    assertThat(exported.warnings()).anyMatch(warning -> warning.contains("no tokenizer"));
    try (GgufFile file = GgufFile.open(written());
        ResultReader result = ResultReader.open(folder.resolve("result"))) {
      assertThat(file.values())
          .containsEntry("general.architecture", new GgufValue.Text(architecture))
          .containsEntry("general.file_type", new GgufValue.Count(type.fileType()))
          .containsEntry(architecture + ".block_count", new GgufValue.Count(2))
          .containsEntry(architecture + ".embedding_length", new GgufValue.Count(64));
      assertThat(file.tensors()).hasSize(exported.tensors());
      String output = "model.layers.0.self_attn.o_proj.weight";
      compare(result, output, file, "blk.0.attn_output.weight", false, type);
      if (!family.equals("phi3")) {
        boolean permuted = architecture.equals("llama");
        compare(
            result,
            "model.layers.1.self_attn.k_proj.weight",
            file,
            "blk.1.attn_k.weight",
            permuted,
            type);
      }
    }
  }

  /** Widths of whole super-blocks have K types, the embedding 6 bits of its own. */
  @ParameterizedTest
  @CsvSource({"2,Q2_K", "3,Q3_K", "4,Q4_K", "5,Q5_K", "6,Q6_K"})
  void superBlocksAreWritten(String bits, GgufType type) throws IOException {
    FamilyShapes narrow = FamilyShapes.of("llama");
    Map<Long, Long> wider = Map.of(64L, 256L, 96L, 512L, 32L, 128L);
    FamilyShapes shapes =
        new FamilyShapes(
            "llama",
            narrow
                .config()
                .replace("\"hidden_size\": 64", "\"hidden_size\": 256")
                .replace("\"intermediate_size\": 96", "\"intermediate_size\": 512")
                .replace("\"head_dim\": 16", "\"head_dim\": 64"),
            narrow.tensors().stream()
                .map(
                    shape ->
                        new FamilyShapes.Shape(
                            shape.name(),
                            shape.dtype(),
                            shape.dimensions().stream()
                                .map(length -> wider.getOrDefault(length, length))
                                .toList()))
                .toList());
    Miniature.of(shapes, 5).write(folder.resolve("source"), Miniature.Spread.ONE);
    make(folder.resolve("source"), Map.of("bits", bits));
    export(Map.of());
    try (GgufFile file = GgufFile.open(written());
        ResultReader result = ResultReader.open(folder.resolve("result"))) {
      assertThat(file.tensor("token_embd.weight").type()).isEqualTo(GgufType.Q6_K);
      compare(
          result,
          "model.layers.1.self_attn.k_proj.weight",
          file,
          "blk.1.attn_k.weight",
          true,
          type);
      compare(
          result,
          "model.layers.0.mlp.down_proj.weight",
          file,
          "blk.0.ffn_down.weight",
          false,
          type);
    }
  }

  /** What llama.cpp takes where rows are no whole super-blocks. */
  @ParameterizedTest
  @CsvSource({"2,Q4_0", "3,Q4_0", "4,Q5_0", "5,Q5_1", "6,Q8_0"})
  void narrowMatricesHaveTheTypeThatTakesItsPlace(String bits, GgufType type) throws IOException {
    make(miniature("llama"), Map.of("bits", bits));
    export(Map.of());
    try (GgufFile file = GgufFile.open(written())) {
      assertThat(file.tensor("blk.0.ffn_down.weight").type()).isEqualTo(type);
      assertThat(file.tensor("token_embd.weight").type()).isEqualTo(GgufType.Q8_0);
    }
  }

  @Test
  void expertsAndNormsAreWhereTheyBelong() throws IOException {
    make(miniature("mixtral"), Map.of("bits", "4", "scales", "signed"));
    export(Map.of());
    try (GgufFile file = GgufFile.open(written())) {
      assertThat(file.tensor("blk.0.ffn_down_exps.weight").shape()).containsExactly(4L, 64L, 96L);
      assertThat(file.tensor("blk.0.ffn_gate_inp.weight").type()).isEqualTo(GgufType.F32);
      assertThat(file.tensor("blk.0.attn_norm.weight").type()).isEqualTo(GgufType.F32);
      assertThat(file.values()).containsEntry("llama.expert_count", new GgufValue.Count(4));
    }
  }

  @Test
  void whatLlamaCppComputesOtherwiseIsRefused() throws IOException {
    FamilyShapes shapes = FamilyShapes.of("qwen3_moe");
    Path source = folder.resolve("source");
    Miniature.of("qwen3_moe", 5).write(source, Miniature.Spread.ONE);
    make(source, Map.of("bits", "4"));
    assertThat(shapes.config()).contains("mlp_only_layers");
    refused("all 4 experts in every layer");
  }

  @Test
  void otherFamiliesAndOtherGridsAreRefusedByName() throws IOException {
    Miniature.of("gpt2", 5).write(folder.resolve("source"), Miniature.Spread.ONE);
    make(folder.resolve("source"), Map.of("bits", "4"));
    refused("models of type gpt2 are not known");
  }

  @Test
  void gridsOfNoTypeAreRefused() throws IOException {
    Path source = folder.resolve("source");
    Miniature.of("llama", 5).write(source, Miniature.Spread.ONE);
    QuantizedFolder.make(
        source, folder.resolve("result"), Map.of("bits", "3", "method", "rtn", "group", "32"));
    refused("codes or scales are of none of its types (");
  }

  @Test
  void theTokenizerGoesAlong() throws IOException {
    Path source = miniature("llama");
    Files.writeString(source.resolve("tokenizer.json"), TokenizerKeysTest.BYTE_LEVEL);
    Files.writeString(
        source.resolve("tokenizer_config.json"),
        "{\"bos_token\": \"<s>\", \"chat_template\": \"{{ x }}\"}");
    make(source, Map.of("bits", "4"));
    assertThat(export(Map.of()).warnings()).isEmpty();
    try (GgufFile file = GgufFile.open(written())) {
      assertThat(file.values())
          .containsEntry("tokenizer.ggml.pre", new GgufValue.Text("gpt-2"))
          .containsEntry("tokenizer.ggml.bos_token_id", new GgufValue.Count(3))
          .containsEntry("tokenizer.chat_template", new GgufValue.Text("{{ x }}"));
      assertThat(tokens(file)).hasSize(50).startsWith("a", "b", "ab", "<s>", "[PAD4]");
    }
  }

  @Test
  void anUnknownPreTokenizerIsRefusedUntilItIsNamed() throws IOException {
    Path source = miniature("llama");
    Files.writeString(
        source.resolve("tokenizer.json"),
        TokenizerKeysTest.BYTE_LEVEL.replace("\"use_regex\": true", "\"use_regex\": false"));
    make(source, Map.of("bits", "4"));
    refused("cuts text into words in a way that is not known here");
    export(Map.of("pre", "falcon"));
    try (GgufFile file = GgufFile.open(written())) {
      assertThat(file.values()).containsEntry("tokenizer.ggml.pre", new GgufValue.Text("falcon"));
    }
  }

  @Test
  void keptMatricesKeepTheirType() throws IOException {
    make(miniature("qwen2"), Map.of("method", "none"));
    export(Map.of());
    try (GgufFile file = GgufFile.open(written())) {
      assertThat(file.tensor("blk.0.attn_q.weight").type()).isEqualTo(GgufType.BF16);
      assertThat(file.tensor("blk.0.attn_q.bias").type()).isEqualTo(GgufType.F32);
    }
  }

  private static List<String> tokens(GgufFile file) {
    return file.values().get("tokenizer.ggml.tokens") instanceof GgufValue.Texts(List<String> all)
        ? all
        : List.of();
  }

  /** The miniature of qwen3_moe has a dense layer, of which llama.cpp knows nothing. */
  private Path miniature(String family) {
    Path source = folder.resolve("source");
    FamilyShapes shapes = FamilyShapes.of(family);
    if (family.equals("qwen3_moe")) {
      List<FamilyShapes.Shape> mixed =
          shapes.tensors().stream()
              .filter(shape -> !shape.name().contains("layers.0.mlp."))
              .flatMap(
                  shape ->
                      shape.name().contains("layers.1.mlp.")
                          ? Stream.of(
                              shape,
                              new FamilyShapes.Shape(
                                  shape.name().replace("layers.1", "layers.0"),
                                  shape.dtype(),
                                  shape.dimensions()))
                          : Stream.of(shape))
              .toList();
      String config =
          shapes
              .config()
              .replaceAll("(?s)\"mlp_only_layers\": \\[.*?\\]", "\"mlp_only_layers\": []");
      shapes = new FamilyShapes(family, config, mixed);
    }
    Miniature.of(shapes, 5).write(source, Miniature.Spread.ONE);
    return source;
  }

  private void make(Path source, Map<String, String> recipe) {
    Map<String, String> all = new HashMap<>(Map.of("target", "gguf", "method", "rtn"));
    all.putAll(recipe);
    QuantizedFolder.make(source, folder.resolve("result"), all);
  }

  private Exported export(Map<String, String> options) {
    return Exports.run(
        new ExportRequest(folder.resolve("result"), "gguf", folder.resolve("export"), options),
        new StopFlag(),
        ExportProgress.NONE);
  }

  private void refused(String reason) {
    assertThatThrownBy(() -> export(Map.of()))
        .isInstanceOfSatisfying(
            EngineException.class, e -> assertThat(e.kind()).isEqualTo(FailureKind.USAGE))
        .hasMessageContaining(reason);
    assertThat(folder.resolve("export")).doesNotExist();
  }

  private Path written() throws IOException {
    try (Stream<Path> files = Files.list(folder.resolve("export"))) {
      List<Path> all = files.filter(file -> !file.endsWith(ExportRecord.NAME)).toList();
      assertThat(all).hasSize(1);
      assertThat(all.getFirst().getFileName().toString()).endsWith(".gguf");
      return all.getFirst();
    }
  }

  /** By the rows of the effective weights, in the order that llama.cpp's converter gives them. */
  private static void compare(
      ResultReader result,
      String source,
      GgufFile file,
      String name,
      boolean permuted,
      GgufType type) {
    TensorHeader header = result.header(source);
    GgufTensor tensor = file.tensor(name);
    assertThat(tensor.type()).isEqualTo(type);
    int rows = Math.toIntExact(header.allRows());
    int columns = header.columns();
    int head = rows / 2;
    try (Arena arena = Arena.ofConfined()) {
      FloatMatrix weights = FloatMatrix.allocate(arena, rows, columns);
      result.readRows(source, 0, weights);
      MemorySegment bytes = arena.allocate(tensor.bytes());
      file.read(tensor, 0, bytes);
      float[] decoded = new float[rows * columns];
      BlockDecoder.decode(type, bytes, 0, decoded.length, decoded);
      for (int out = 0; out < rows; out++) {
        int within = out % head;
        int from = permuted ? out / head * head + within % 2 * (head / 2) + within / 2 : out;
        for (int c = 0; c < columns; c++) {
          assertThat(decoded[out * columns + c]).isEqualTo(weights.get(from, c));
        }
      }
    }
    assertThat(Set.of(GgufType.F32, GgufType.BF16)).doesNotContain(type);
  }
}

package io.cafeq.engine.export.safetensors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.SafetensorsWriter;
import io.cafeq.engine.checkpoint.SafetensorsWriter.Entry;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.export.ExportProgress;
import io.cafeq.engine.export.ExportRequest;
import io.cafeq.engine.export.Exports;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.model.QuantizedFolder;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PackedExportTest {
  private static final ValueLayout.OfInt INTS =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final String CONFIG =
      """
      {
        "model_type": "llama", "hidden_size": 64, "intermediate_size": 128,
        "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2,
        "vocab_size": 32, "tie_word_embeddings": true
      }
      """;
  private static final String DOWN = "model.layers.0.mlp.down_proj.weight";

  @TempDir Path folder;

  /** A model of one layer whose {@code down} has these rows, repeated, all else drawn. */
  private void writeModel(Dtype dtype, float... down) {
    Map<String, List<Long>> shapes = new HashMap<>();
    shapes.put("model.embed_tokens.weight", List.of(32L, 64L));
    for (String name : List.of("q", "k", "v", "o")) {
      shapes.put("model.layers.0.self_attn." + name + "_proj.weight", List.of(64L, 64L));
    }
    shapes.put("model.layers.0.mlp.gate_proj.weight", List.of(128L, 64L));
    shapes.put("model.layers.0.mlp.up_proj.weight", List.of(128L, 64L));
    shapes.put(DOWN, List.of(64L, 128L));
    shapes.put("model.layers.0.input_layernorm.weight", List.of(64L));
    List<Entry> entries = new ArrayList<>();
    shapes.forEach((name, shape) -> entries.add(new Entry(name, dtype, shape)));
    Random random = new Random(1);
    try {
      Path source = Files.createDirectories(folder.resolve("source"));
      Files.writeString(source.resolve("config.json"), CONFIG);
      try (Arena arena = Arena.ofConfined();
          SafetensorsWriter writer =
              SafetensorsWriter.create(source.resolve("model.safetensors"), entries, Map.of())) {
        for (Entry entry : writer.order()) {
          MemorySegment bytes = arena.allocate(entry.bytes(), 8);
          for (long i = 0; i < entry.bytes() / dtype.bytes(); i++) {
            float value =
                entry.name().equals(DOWN) && down.length > 0
                    ? down[(int) (i % 128) % down.length]
                    : (float) random.nextGaussian() * 0.05f;
            switch (dtype) {
              case BF16 ->
                  bytes.setAtIndex(
                      ValueLayout.JAVA_SHORT, i, (short) (Float.floatToIntBits(value) >>> 16));
              case F16 -> bytes.setAtIndex(ValueLayout.JAVA_SHORT, i, Float.floatToFloat16(value));
              default -> bytes.setAtIndex(ValueLayout.JAVA_FLOAT, i, value);
            }
          }
          writer.append(entry.name(), bytes);
        }
        writer.finish();
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private Path export(String target, String... options) {
    Map<String, String> recipe = new HashMap<>(Map.of("target", target, "pair-steps", "5"));
    for (int i = 0; i < options.length; i += 2) {
      recipe.put(options[i], options[i + 1]);
    }
    QuantizedFolder.make(folder.resolve("source"), folder.resolve("result"), recipe);
    return export(target);
  }

  private Path export(String format) {
    Path out = folder.resolve("out-" + format);
    Exports.run(
        new ExportRequest(folder.resolve("result"), format, out, Map.of()),
        new StopFlag(),
        ExportProgress.NONE);
    return out;
  }

  private static int[] words(Path export, String tensor) {
    try (Checkpoint checkpoint = Checkpoint.open(export);
        Arena arena = Arena.ofConfined()) {
      TensorInfo info = checkpoint.tensor(tensor).orElseThrow();
      MemorySegment bytes = arena.allocate(info.bytes(), 8);
      checkpoint.read(info, 0, bytes);
      return IntStream.range(0, (int) (info.bytes() / 4))
          .map(i -> bytes.getAtIndex(INTS, i))
          .toArray();
    }
  }

  private static JsonNode config(Path export) throws IOException {
    return new JsonMapper().readTree(Files.readAllBytes(export.resolve("config.json")));
  }

  /** The words that compressed-tensors' own tests expect. */
  @Test
  void codesAreTheWordsOfCompressedTensors() {
    writeModel(Dtype.BF16, -8, -7, -1, 0, 1, 2, 6, 7);
    Path four = export("compressed-tensors", "group", "32", "method", "rtn", "clip", "false");
    assertThat(words(four, DOWN)[0]).isEqualTo(0xFEA98710);
  }

  @Test
  void codesOfThreeBitsCrossWords() {
    writeModel(Dtype.BF16, -4, -3, -2, -1, 0, 1, 2, 3, -4, 3, 0, 0, 0, 0, 0, 0);
    Path three =
        export("compressed-tensors", "bits", "3", "group", "32", "method", "rtn", "clip", "false");
    int[] words = words(three, DOWN);
    assertThat(words[0]).isEqualTo(0x38FAC688);
    // ten codes and the lowest two bits of the eleventh are in the first word
    assertThat(words[1] & 1).isEqualTo(1);
  }

  @Test
  void gptqPacksAlongTheInputAndStoresZeroPointsLessOne() {
    writeModel(Dtype.BF16, -8, -7, -6, -5, -4, -3, -2, -1);
    Path gptq = export("gptq", "group", "32", "method", "rtn", "clip", "false");
    String module = "model.layers.0.mlp.down_proj";
    assertThat(words(gptq, module + ".qweight")).hasSize(16 * 64).containsOnly(0x76543210);
    assertThat(words(gptq, module + ".qzeros")).hasSize(4 * 8).containsOnly(0x77777777);
    assertThat(words(gptq, module + ".g_idx"))
        .isEqualTo(IntStream.range(0, 128).map(c -> c / 32).toArray());
  }

  @ParameterizedTest
  @CsvSource({
    "compressed-tensors, 2, 32, signed",
    "compressed-tensors, 3, 64, signed",
    "compressed-tensors, 5, channel, signed",
    "compressed-tensors, 7, 128, signed",
    "compressed-tensors, 8, 32, signed",
    "compressed-tensors, 4, 32, f16",
    "compressed-tensors, 3, channel, f16",
    "mlx, 2, 32, f16-minimum",
    "mlx, 3, 64, f16-minimum",
    "mlx, 5, 64, f16-minimum",
    "mlx, 6, 32, f16-minimum",
    "mlx, 8, 64, f16-minimum",
    "gptq, 4, 64, signed",
    "gptq, 8, channel, signed",
  })
  void everyGridOfATargetIsProven(String target, String bits, String group, String scales) {
    for (Dtype dtype : List.of(Dtype.BF16, Dtype.F16, Dtype.F32)) {
      writeModel(dtype);
      Path out = export(target, "bits", bits, "group", group, "scales", scales);
      assertThat(Exports.verify(out, Optional.of(folder.resolve("result")), new StopFlag()))
          .as(dtype.name())
          .isEmpty();
      deleteAll(folder);
    }
  }

  @Test
  void everyChangedByteIsFound() throws IOException {
    writeModel(Dtype.BF16);
    Path out = export("mlx", "group", "64");
    Path result = folder.resolve("result");
    assertThat(Exports.verify(out, Optional.of(result), new StopFlag())).isEmpty();
    Random random = new Random(2);
    List<Path> files;
    try (Stream<Path> all = Files.walk(out)) {
      files = all.filter(Files::isRegularFile).sorted().toList();
    }
    assertThat(files).hasSize(4);
    for (Path file : files) {
      byte[] whole = Files.readAllBytes(file);
      for (int i = 0; i < 60; i++) {
        byte[] changed = whole.clone();
        int at = i == 0 ? 0 : i == 1 ? whole.length - 1 : random.nextInt(whole.length);
        changed[at] ^= (byte) (1 << random.nextInt(8));
        Files.write(file, changed);
        assertThat(isSound(out)).as("%s at %d", file.getFileName(), at).isFalse();
      }
      Files.write(file, whole);
    }
    Files.writeString(out.resolve("more.txt"), "");
    assertThat(isSound(out)).isFalse();
    Files.delete(out.resolve("more.txt"));
    assertThat(isSound(out)).isTrue();
  }

  private static boolean isSound(Path export) {
    try {
      return Exports.verify(export, Optional.empty(), new StopFlag()).isEmpty();
    } catch (EngineException e) {
      return e.kind() != FailureKind.RESULT;
    }
  }

  @Test
  void anExportOfAnotherResultIsFound() {
    writeModel(Dtype.BF16);
    Path out = export("mlx", "group", "64");
    QuantizedFolder.make(
        folder.resolve("source"), folder.resolve("other"), Map.of("target", "mlx", "bits", "3"));
    assertThat(Exports.verify(out, Optional.of(folder.resolve("other")), new StopFlag()))
        .singleElement()
        .asString()
        .contains("another result");
  }

  @Test
  void aResultForNoTargetIsRefusedWithTheRemedy() {
    writeModel(Dtype.BF16);
    QuantizedFolder.make(folder.resolve("source"), folder.resolve("result"), Map.of());
    for (String format : List.of("compressed-tensors", "mlx", "gptq")) {
      assertThatThrownBy(() -> export(format))
          .isInstanceOfSatisfying(
              EngineException.class,
              e -> assertThat(e.remedy()).contains("Quantize again with --target " + format))
          .hasMessageContaining("none of its own");
    }
  }

  @Test
  void whatATargetDoesNotHoldIsRefusedBeforeAnyWork() {
    writeModel(Dtype.BF16);
    assertThatThrownBy(() -> export("mlx", "bits", "7"))
        .hasMessageContaining("7 bits")
        .hasMessageContaining("target mlx does not hold that");
    assertThatThrownBy(() -> export("gptq", "scales", "f16"))
        .hasMessageContaining("scales stored as f16");
    assertThatThrownBy(() -> export("mlx", "group", "channel")).hasMessageContaining("whole rows");
  }

  @Test
  void unlikePartsOfAFusedLayerAreRefused() {
    writeModel(Dtype.BF16);
    assertThatThrownBy(
            () ->
                export(
                    "compressed-tensors",
                    "pairs",
                    "false",
                    "overrides",
                    "[{pattern = \".*q_proj.*\", bits = 8}]"))
        .hasMessageContaining("loaders fuse layers")
        .hasMessageContaining("q_proj");
  }

  @Test
  void theCardSaysWhatWasDoneAndKeepsTheSources() throws IOException {
    writeModel(Dtype.BF16);
    Files.writeString(folder.resolve("source/README.md"), "of the source");
    Path out = export("mlx", "pairs", "false", "group", "64");
    assertThat(out.resolve("README-source.md")).hasContent("of the source");
    assertThat(out.resolve("README.md"))
        .content()
        .startsWith("---\nlibrary_name: mlx\ntags:\n- quantized\n- cafeq\n- mlx\n---\n")
        .contains("| bits per quantized weight, scales included | 4.50 |")
        .contains("| calibration | none |")
        .contains("\"target\":\"mlx\"");
    assertThat(Exports.verify(out, Optional.empty(), new StopFlag())).isEmpty();
  }

  @Test
  void mlxStatesBitsByModuleAndCompressedTensorsByGroup() throws IOException {
    writeModel(Dtype.BF16);
    String override = "[{pattern = \".*down_proj.*\", bits = 8}]";
    JsonNode mlx = config(export("mlx", "pairs", "false", "group", "64", "overrides", override));
    assertThat(mlx.at("/quantization/bits").asInt()).isEqualTo(4);
    assertThat(mlx.at("/quantization/model.layers.0.mlp.down_proj/bits").asInt()).isEqualTo(8);
    assertThat(mlx.at("/hidden_size").asInt()).isEqualTo(64);
    deleteAll(folder.resolve("result"));
    JsonNode packed =
        config(export("compressed-tensors", "pairs", "false", "group", "64", "overrides", override))
            .path("quantization_config");
    assertThat(packed.path("config_groups")).hasSize(2);
    assertThat(packed.path("ignore")).extracting(JsonNode::asText).containsExactly("lm_head");
    assertThat(packed.findValuesAsText("num_bits")).containsExactlyInAnyOrder("4", "8");
  }

  private static void deleteAll(Path folder) {
    try (Stream<Path> all = Files.walk(folder)) {
      for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
        if (!path.equals(folder) || !folder.getFileName().toString().startsWith("junit")) {
          Files.delete(path);
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}

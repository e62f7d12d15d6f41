package io.cafeq.engine.export.toy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cafeq.engine.block.ResultReader;
import io.cafeq.engine.block.TensorHeader;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.LayoutKind;
import io.cafeq.engine.checkpoint.SafetensorsWriter.Entry;
import io.cafeq.engine.checkpoint.ShardedWriter;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.checkpoint.WeightLayout;
import io.cafeq.engine.checkpoint.WeightTensor;
import io.cafeq.engine.export.ExportFormat;
import io.cafeq.engine.export.ExportProgress;
import io.cafeq.engine.export.ExportRequest;
import io.cafeq.engine.export.Exports;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.family.FamilyShapes;
import io.cafeq.engine.grid.GridValues;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.model.Miniature;
import io.cafeq.engine.model.QuantizedFolder;
import io.cafeq.engine.transform.StoredTransform;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** What a format gets of a result is enough to compute the weights of the dense export. */
class ToyFormatTest {
  @TempDir Path folder;

  /** What each row of the table is there for stands behind its settings. */
  static Stream<Arguments> results() {
    return Stream.of(
        row("llama", "symmetric input int8 false 16", "input INT8 symmetric PLAIN stack"),
        row("phi3", "zero-point output bf16 true 16", "output BF16 zero-point sections coupled"),
        row("gpt2", "offset output int8 true 16", "offset TRANSPOSED coupled folded output"),
        row("mixtral", "f16 input bf16 true 16", "f16 input BF16 coupled stack"),
        row("llama4", "f16-minimum output int8 true 16", "f16-minimum experts TRANSPOSED output"),
        row("gpt_oss", "symmetric input bf16 false channel", "MICRO_SCALED experts input"),
        row("deepseek_v3", "zero-point output int8 true 16", "TILED zero-point output INT8"),
        row("qwen2", "offset input hadamard false 16", "HADAMARD offset input stack"));
  }

  private static Arguments row(String family, String settings, String seen) {
    return Arguments.of(family, settings, Set.of(seen.split(" ")));
  }

  @ParameterizedTest
  @MethodSource("results")
  void theDecodedWeightsAreThoseOfTheDenseExport(String family, String settings, Set<String> seen)
      throws IOException {
    Path source = folder.resolve("source");
    Miniature.inFloat32(family, 5).write(source, Miniature.Spread.APART);
    String[] each = settings.split(" ");
    boolean hadamard = each[2].equals("hadamard");
    Map<String, String> recipe = new HashMap<>();
    recipe.put("scales", each[0]);
    recipe.put("side", each[1]);
    recipe.put("method", hadamard ? "hadamard" : "cafeq");
    recipe.put("transform-storage", hadamard ? "auto" : each[2]);
    recipe.put("pairs", each[3]);
    recipe.put("group", each[4]);
    recipe.putAll(Map.of("bits", "3", "block", "16", "steps", "10", "pair-steps", "10"));
    recipe.putAll(Map.of("fall-back", "false", "baselines", "off"));
    QuantizedFolder.make(source, folder.resolve("result"), recipe);

    assertThat(compare()).containsAll(seen);
  }

  /** f16 ends far above such weights. */
  @Test
  void exponentsOfRowsGoAlong() throws IOException {
    QuantizedFolder.make(
        tinyWeights(), folder.resolve("result"), Map.of("method", "rtn", "group", "16"));

    assertThat(compare()).contains("exponents");
  }

  @Test
  void rowsAndBlocksAreGivenByRange() throws IOException {
    Path source = folder.resolve("source");
    Miniature.inFloat32("phi3", 5).write(source, Miniature.Spread.ONE);
    QuantizedFolder.make(
        source,
        folder.resolve("result"),
        Map.of(
            "group",
            "16",
            "block",
            "16",
            "side",
            "output",
            "steps",
            "5",
            "pair-steps",
            "5",
            "scales",
            "zero-point",
            "fall-back",
            "false",
            "baselines",
            "off"));
    try (ResultReader result = ResultReader.open(folder.resolve("result"))) {
      String tensor =
          result.tensors().stream()
              .map(entry -> entry.name())
              .filter(name -> result.header(name).sections().size() > 1)
              .findFirst()
              .orElseThrow();
      TensorHeader header = result.header(tensor);
      List<StoredTransform> all = new ArrayList<>();
      result.forEachBlock(tensor, 0, header.allRows(), (use, block) -> all.add(block));
      assertThat(all).isNotEmpty();
      for (long row = 0; row < header.allRows(); row++) {
        long at = row;
        List<StoredTransform> some = new ArrayList<>();
        result.forEachBlock(tensor, row, 1, (use, block) -> some.add(block));
        assertThat(some)
            .isEqualTo(
                all.stream()
                    .filter(b -> b.firstChannel() <= at && at < b.firstChannel() + b.k())
                    .toList());
        result.forEachStored(
            tensor,
            row,
            1,
            (first, coding, slab) -> {
              assertThat(first).isEqualTo(at);
              assertThat(slab.rows()).isEqualTo(1);
              assertThat(coding).isEqualTo(header.sectionOf(at).orElseThrow().coding());
              checkGrid(new GridValues(slab), slab.columns(), slab.grid().groups(slab.columns()));
            });
      }
      assertThatThrownBy(
              () -> result.forEachStored(tensor, header.allRows(), 1, (row, coding, slab) -> {}))
          .isInstanceOf(IndexOutOfBoundsException.class);
    }
  }

  /** Codes, scales and zero points give the values. */
  private static void checkGrid(GridValues values, int columns, int groups) {
    float[] expected = new float[columns];
    byte[] codes = new byte[columns];
    float[] scales = new float[groups];
    float[] zeros = new float[groups];
    values.read(0, 0, columns, expected);
    values.readCodes(0, 0, columns, codes);
    values.readGrid(0, scales, zeros);
    for (int i = 0; i < columns; i++) {
      int group = i / (columns / groups);
      assertThat(((codes[i] & 0xFF) - zeros[group]) * scales[group]).isEqualTo(expected[i]);
    }
  }

  @Test
  void everythingThatStandsAgainstAnExportIsSaidBeforehand() {
    Path source = folder.resolve("source");
    Miniature.inFloat32("phi3", 5).write(source, Miniature.Spread.ONE);
    QuantizedFolder.make(
        source,
        folder.resolve("result"),
        Map.of(
            "bits",
            "3",
            "group",
            "8",
            "block",
            "16",
            "steps",
            "5",
            "pair-steps",
            "5",
            "scales",
            "offset",
            "side",
            "output",
            "fall-back",
            "false",
            "baselines",
            "off"));

    assertThatThrownBy(() -> export("toy", Map.of("strict", "true")))
        .isInstanceOfSatisfying(
            EngineException.class,
            e -> {
              assertThat(e.kind()).isEqualTo(FailureKind.USAGE);
              assertThat(e.remedy())
                  .contains("--bits 8", "--group 32", "--scales symmetric")
                  .contains("--transform-bits 0", "--no-pairs");
            })
        .hasMessageContaining("codes have 3 bits, expected 4, 8 (")
        .hasMessageContaining("groups have 8 input channels, expected 16, 32 (")
        .hasMessageContaining("scales are offset, expected symmetric (")
        .hasMessageContaining("weights have an online transform, expected none (")
        .hasMessageContaining("the transform of a pair folded in")
        .hasMessageContaining("rows of one tensor are coded unlike");
    assertThat(folder.resolve("toy")).doesNotExist();
    assertThat(folder.resolve("toy.export-part")).doesNotExist();
  }

  @Test
  void formatsAndTheirOptionsAreFoundByName() {
    assertThat(Exports.installed())
        .extracting(ExportFormat::id)
        .containsExactly("compressed-tensors", "dense", "gguf", "gptq", "mlx", "toy");
    usage(
        "other",
        Map.of(),
        "no export format is called \"other\"",
        "compressed-tensors, dense, gguf, gptq, mlx, toy");
    usage("toy", Map.of("columns", "3"), "has no option \"columns\"", "rows, strict");
    usage("toy", Map.of("rows", "0"), "takes a whole number from 1 to 1000, not \"0\"", "Give it");
    usage("toy", Map.of("rows", "x"), "takes a whole number from 1 to 1000", "Give it");
    usage("toy", Map.of("strict", "yes"), "takes true or false, not \"yes\"", "true or false");
    usage("dense", Map.of("rows", "3"), "has no option \"rows\"", "has no options");
  }

  private void usage(String format, Map<String, String> options, String message, String remedy) {
    assertThatThrownBy(() -> export(format, options))
        .isInstanceOfSatisfying(
            EngineException.class,
            e -> {
              assertThat(e.kind()).isEqualTo(FailureKind.USAGE);
              assertThat(e.remedy()).contains(remedy);
            })
        .hasMessageContaining(message);
  }

  private void export(String format, Map<String, String> options) {
    Exports.run(
        new ExportRequest(folder.resolve("result"), format, folder.resolve(format), options),
        new StopFlag(),
        ExportProgress.NONE);
  }

  /** Exports both ways; answers with what the result has. */
  private Set<String> compare() throws IOException {
    export("toy", Map.of());
    export("dense", Map.of());
    ToyFile toy = ToyFile.read(folder.resolve("toy"));
    Set<String> seen = new HashSet<>(toy.seen());
    assertThat(toy.weights()).isNotEmpty();
    try (ResultReader result = ResultReader.open(folder.resolve("result"));
        Checkpoint dense = Checkpoint.open(folder.resolve("dense"))) {
      Set<String> keys = new HashSet<>();
      toy.weights()
          .forEach(
              (name, weights) -> {
                TensorHeader header = result.header(name);
                seen.addAll(features(header, keys));
                same(dense, header, weights);
              });
      toy.raw()
          .forEach(
              (name, bytes) -> {
                TensorHeader header = result.header(name);
                if (header.content() instanceof TensorHeader.Content.Folded) {
                  seen.add("folded");
                }
                dense
                    .tensor(name)
                    .filter(info -> info.dtype() == header.dtype())
                    .ifPresent(info -> assertThat(bytes).as(name).isEqualTo(read(dense, info)));
              });
    }
    return seen;
  }

  private static Set<String> features(TensorHeader header, Set<String> keys) {
    Set<String> features = new HashSet<>(Set.of(header.layout().name()));
    for (TensorHeader.Section section : header.sections()) {
      TensorHeader.TransformUse use = section.coding().transform();
      if (section.coding().coupled()) {
        features.add("coupled");
      }
      if (use != null && !keys.add(use.key())) {
        features.add("stack");
      }
    }
    if (header.sections().size() > 1) {
      features.add("sections");
    }
    if (header.firstExpert() >= 0) {
      features.add("experts");
    }
    return features;
  }

  private static void same(Checkpoint dense, TensorHeader header, float[][] weights) {
    LayoutKind layout = header.layout();
    String name = header.name();
    TensorInfo info =
        Optional.of(name)
            .flatMap(dense::tensor)
            .or(() -> dense.tensor(name.replaceAll("_blocks$", "")))
            .orElseThrow();
    boolean turned = layout.isTransposed() || layout == LayoutKind.MICRO_SCALED;
    try (Arena arena = Arena.ofConfined()) {
      FloatMatrix expected = FloatMatrix.allocate(arena, weights.length, weights[0].length);
      dense.readFloats(
          new WeightTensor(info, turned ? new WeightLayout.Transposed() : new WeightLayout.Plain()),
          0,
          0,
          expected);
      for (int row = 0; row < weights.length; row++) {
        for (int column = 0; column < weights[row].length; column++) {
          int found = Float.floatToRawIntBits(rounded(weights[row][column], info.dtype()));
          if (found != Float.floatToRawIntBits(expected.get(row, column))) {
            throw new AssertionError(
                "%s [%d, %d]: %s, expected %s"
                    .formatted(name, row, column, weights[row][column], expected.get(row, column)));
          }
        }
      }
    }
  }

  /** To nearest even. */
  private static float rounded(float value, Dtype dtype) {
    if (dtype == Dtype.F32) {
      return value;
    }
    assertThat(dtype).isEqualTo(Dtype.BF16);
    int bits = Float.floatToRawIntBits(value);
    return Float.intBitsToFloat((bits + 0x7FFF + (bits >>> 16 & 1)) & 0xFFFF0000);
  }

  private static byte[] read(Checkpoint checkpoint, TensorInfo info) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment bytes = arena.allocate(Math.max(1, info.bytes())).asSlice(0, info.bytes());
      checkpoint.read(info, 0, bytes);
      return bytes.toArray(ValueLayout.JAVA_BYTE);
    }
  }

  private Path tinyWeights() throws IOException {
    Path source = Files.createDirectory(folder.resolve("source"));
    Files.writeString(source.resolve("config.json"), FamilyShapes.of("llama").config());
    Entry entry = new Entry("model.layers.0.mlp.up_proj.weight", Dtype.F32, List.of(24L, 64L));
    Random random = new Random(3);
    try (Arena arena = Arena.ofConfined();
        ShardedWriter writer =
            ShardedWriter.create(
                source,
                List.of(new ShardedWriter.Shard("model.safetensors", List.of(entry))),
                Map.of())) {
      MemorySegment bytes = arena.allocate(entry.bytes(), 8);
      for (int i = 0; i < 24 * 64; i++) {
        float size = i / 64 % 2 == 0 ? 1e-9f : 1;
        bytes.setAtIndex(ValueLayout.JAVA_FLOAT, i, size * (float) random.nextGaussian());
      }
      writer.append(entry.name(), bytes);
      writer.finish();
    }
    return source;
  }
}

package io.cafeq.engine.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.cafeq.engine.checkpoint.LayoutSamples.Stored;
import io.cafeq.engine.checkpoint.WeightTensors.Reading;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.modelconfig.ModelConfig;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Checkpoints that other programs quantized, against weights that are known before they are stored.
 */
class QuantizedSourceTest {
  private static final String NAME = "model.layers.0.mlp.up_proj.weight";

  @TempDir Path folder;

  private WeightTensor weight(Checkpoint checkpoint, String name, boolean transposed) {
    Reading reading = checkpoint.weights().read(checkpoint.tensor(name).orElseThrow(), transposed);
    assertThat(reading).isInstanceOf(Reading.Weights.class);
    return ((Reading.Weights) reading).weight();
  }

  /** All of it, and rectangles of it; {@code expected} has the rows of all experts. */
  private void check(
      List<Stored> tensors, String config, String name, boolean transposed, float[][] expected)
      throws IOException {
    Path at = folder.resolve("c" + System.identityHashCode(expected));
    LayoutSamples.write(at, List.of(tensors.getFirst()), tensors.subList(1, tensors.size()));
    Files.writeString(at.resolve("config.json"), config);
    try (Checkpoint checkpoint = Checkpoint.open(at);
        TensorReader reader = checkpoint.newReader();
        Arena arena = Arena.ofConfined()) {
      WeightTensor weight = weight(checkpoint, name, transposed);
      assertThat(weight.allRows()).isEqualTo(expected.length);
      assertThat(weight.columns()).isEqualTo(expected[0].length);
      assertThat(weight.sources())
          .extracting(TensorInfo::name)
          .doesNotHaveDuplicates()
          .hasSizeGreaterThan(1);
      Random random = new Random(expected.length);
      for (int i = 0; i < 8; i++) {
        int row = i == 0 ? 0 : random.nextInt(expected.length);
        int column = i == 0 ? 0 : random.nextInt(expected[0].length);
        int rows = i == 0 ? expected.length : 1 + random.nextInt(expected.length - row);
        int columns = i == 0 ? expected[0].length : 1 + random.nextInt(expected[0].length - column);
        FloatMatrix found = FloatMatrix.allocate(arena, rows, columns);
        reader.readFloats(weight, row, column, found);
        for (int r = 0; r < rows; r++) {
          for (int c = 0; c < columns; c++) {
            if (found.get(r, c) != expected[row + r][column + c]) {
              assertThat(found.get(r, c))
                  .as("row %d, column %d", row + r, column + c)
                  .isEqualTo(expected[row + r][column + c]);
            }
          }
        }
      }
    }
  }

  private static List<Long> shape(Integer... lengths) {
    return Stream.of(lengths).map(Integer::longValue).toList();
  }

  /** 8-bit floats with scales of any shape that repeats evenly, or in tiles, over the matrix. */
  @ParameterizedTest(name = "{0} {1} scales {2} of {3}, tiles {4}x{5}")
  @MethodSource("shapesOfScales")
  void eightBitFloatsWithScalesOfAnyShape(
      String ending,
      List<Long> stored,
      List<Long> scaleShape,
      Dtype scaleDtype,
      int tileRows,
      int tileColumns)
      throws IOException {
    Random random = new Random(stored.hashCode());
    Stored codes = LayoutSamples.random(NAME, Dtype.F8_E4M3, stored, random);
    Stored scales =
        new Stored(
            scaleName(ending),
            scaleDtype,
            scaleShape,
            LayoutSamples.random(
                    "s", scaleDtype == Dtype.U8 ? Dtype.F8_E8M0 : scaleDtype, scaleShape, random)
                .bytes());
    boolean isStack = stored.size() > 2;
    int experts = isStack ? (int) (long) stored.getFirst() : 1;
    int rows = (int) (long) stored.get(stored.size() - 2);
    int columns = (int) (long) stored.getLast();
    int across = (columns + tileColumns - 1) / tileColumns;
    int down = (rows + tileRows - 1) / tileRows;
    boolean perExpert = scaleShape.stream().anyMatch(length -> length > 1) && isStack;
    float[][] expected = new float[experts * rows][columns];
    for (int row = 0; row < expected.length; row++) {
      for (int column = 0; column < columns; column++) {
        long tile =
            (perExpert ? row / rows * (long) down : 0) * across
                + (long) (row % rows / tileRows) * across
                + column / tileColumns;
        expected[row][column] =
            (float) (codes.value((long) row * columns + column) * (float) scales.value(tile));
      }
    }
    check(List.of(codes, scales), "{}", NAME, false, expected);
  }

  private static String scaleName(String ending) {
    return ending.startsWith("_") ? NAME + ending : NAME.replace(".weight", ending);
  }

  static List<Arguments> shapesOfScales() {
    return List.of(
        Arguments.of("_scale", shape(48, 80), shape(), Dtype.BF16, 48, 80),
        Arguments.of("_scale_inv", shape(48, 80), shape(1), Dtype.F32, 48, 80),
        Arguments.of(".scale", shape(48, 80), shape(1, 1), Dtype.F16, 48, 80),
        Arguments.of("_scale", shape(48, 80), shape(48), Dtype.F64, 1, 80),
        Arguments.of("_scale", shape(48, 80), shape(48, 1), Dtype.F8_E4M3, 1, 80),
        Arguments.of(".scales", shape(48, 80), shape(1, 48), Dtype.F32, 1, 80),
        Arguments.of("_scale", shape(48, 48), shape(1, 48), Dtype.F32, 1, 48),
        Arguments.of("_scale", shape(48, 80), shape(48, 5), Dtype.F32, 1, 16),
        Arguments.of("_scale", shape(48, 96), shape(48, 3), Dtype.U8, 1, 32),
        Arguments.of(".scale_inv", shape(48, 96), shape(48, 3), Dtype.F8_E8M0, 1, 32),
        Arguments.of("_scale_inv", shape(300, 260), shape(3, 3), Dtype.F32, 128, 128),
        Arguments.of("_scale_inv", shape(64, 96), shape(2, 3), Dtype.BF16, 32, 32),
        Arguments.of("_scale_inv", shape(70, 100), shape(3, 4), Dtype.BF16, 32, 32),
        Arguments.of("_scale", shape(64, 96), shape(2, 1, 3, 1), Dtype.F32, 32, 32),
        Arguments.of("_scale", shape(64, 96), shape(4, 1, 6, 1), Dtype.F32, 16, 16),
        Arguments.of("_scale", shape(48, 80), shape(1, 48, 1), Dtype.F32, 1, 80),
        Arguments.of("_scale", shape(3, 20, 32), shape(3), Dtype.F32, 20, 32),
        Arguments.of("_scale", shape(3, 20, 32), shape(3, 1), Dtype.F32, 20, 32),
        Arguments.of("_scale", shape(3, 20, 32), shape(3, 1, 1), Dtype.F32, 20, 32),
        Arguments.of("_scale", shape(3, 20, 32), shape(1), Dtype.F32, 20, 32),
        Arguments.of("_scale", shape(3, 20, 32), shape(3, 20), Dtype.F32, 1, 32),
        Arguments.of("_scale", shape(3, 20, 32), shape(3, 20, 1), Dtype.F32, 1, 32),
        Arguments.of("_scale", shape(3, 20, 32), shape(3, 1, 20), Dtype.F32, 1, 32),
        Arguments.of("_scale", shape(3, 20, 64), shape(3, 20, 2), Dtype.U8, 1, 32),
        Arguments.of("_scale_inv", shape(3, 256, 384), shape(3, 2, 3), Dtype.F32, 128, 128),
        Arguments.of("_scale_inv", shape(3, 64, 96), shape(3, 2, 1, 3, 1), Dtype.F32, 32, 32));
  }

  @Test
  void scalesMayBeStoredTheOtherWayRound() throws IOException {
    Random random = new Random(5);
    Stored codes = LayoutSamples.random(NAME, Dtype.F8_E5M2, shape(64, 96), random);
    Stored scales = LayoutSamples.random(NAME + "_scale", Dtype.F32, shape(3, 2), random);
    float[][] expected = new float[64][96];
    for (int row = 0; row < 64; row++) {
      for (int column = 0; column < 96; column++) {
        expected[row][column] =
            (float) (codes.value(row * 96L + column) * scales.value(column / 32 * 2 + row / 32));
      }
    }
    check(List.of(codes, scales), "{}", NAME, false, expected);
  }

  /** [in, out] or [experts, in, out], as families of such a kind store weights. */
  @ParameterizedTest
  @CsvSource({
    "0, 40, 70, 1x70",
    "0, 40, 70, 70",
    "3, 40, 70, 3x70",
    "3, 40, 70, 3x1x70",
    "0, 64, 96, 2x3",
    "2, 64, 96, 2x2x3",
    "2, 1300, 96, 2x11x1",
    "0, 96, 40, 3x40"
  })
  void matricesMayBeStoredTheOtherWayRound(int experts, int in, int out, String scaleShape)
      throws IOException {
    Random random = new Random(in);
    List<Long> scaleLengths = Stream.of(scaleShape.split("x")).map(Long::valueOf).toList();
    Stored codes =
        LayoutSamples.random(
            NAME, Dtype.F8_E4M3, experts == 0 ? shape(in, out) : shape(experts, in, out), random);
    Stored scales = LayoutSamples.random(NAME + "_scale", Dtype.F32, scaleLengths, random);
    long wide = scaleLengths.getLast();
    long high = scales.bytes().length / 4 / wide / Math.max(1, experts);
    long tileIn = high == 1 ? in : high == 11 ? 128 : 32;
    long tileOut = wide == out ? 1 : wide == 1 ? out : 32;
    float[][] expected = new float[Math.max(1, experts) * out][in];
    for (int row = 0; row < expected.length; row++) {
      for (int column = 0; column < in; column++) {
        long expert = row / out;
        expected[row][column] =
            (float)
                (codes.value((expert * in + column) * out + row % out)
                    * scales.value((expert * high + column / tileIn) * wide + row % out / tileOut));
      }
    }
    check(List.of(codes, scales), "{}", NAME, true, expected);
  }

  @ParameterizedTest
  @CsvSource({"model.layers.0.mlp.gate_up_proj, 2, 40", "model.layers.0.self_attn.qkv_proj, 3, 60"})
  void fusedMatricesMayHaveAScaleEach(String module, int parts, int rows) throws IOException {
    Random random = new Random(parts);
    Stored codes = LayoutSamples.random(module + ".weight", Dtype.F8_E4M3, shape(rows, 24), random);
    Stored scales = LayoutSamples.random(module + ".weight_scale", Dtype.F32, shape(parts), random);
    float[][] expected = new float[rows][24];
    for (int row = 0; row < rows; row++) {
      for (int column = 0; column < 24; column++) {
        expected[row][column] = (float) (codes.value(row * 24L + column) * scales.value(row / 20));
      }
    }
    check(List.of(codes, scales), "{}", module + ".weight", false, expected);
  }

  /** Queries with more heads than keys: three scales do not tell where one matrix ends. */
  @Test
  void fusedMatricesOfUnequalSizeAreNotGuessed() {
    TensorInfo fused = info("a.qkv_proj.weight", Dtype.F8_E4M3, 60, 24);
    TensorInfo scales = info("a.qkv_proj.weight_scale", Dtype.F32, 3);
    ObjectNode config = JsonNodeFactory.instance.objectNode();
    config.put("num_attention_heads", 4).put("num_key_value_heads", 2);
    assertThat(WeightTensors.of(List.of(fused, scales), ModelConfig.of(config)).read(fused, false))
        .isInstanceOfSatisfying(
            Reading.NoWeights.class, no -> assertThat(no.reason()).contains("have [3]"));
  }

  private static TensorInfo info(String name, Dtype dtype, Integer... shape) {
    List<Long> lengths = shape(shape);
    return new TensorInfo(
        name,
        dtype,
        lengths,
        "f.safetensors",
        0,
        lengths.stream().reduce((long) dtype.bytes(), Math::multiplyExact));
  }

  /** NVFP4 by both makers, whose second scale multiplies or divides, and MXFP4. */
  @ParameterizedTest
  @ValueSource(strings = {"modelopt", "compressed-tensors", "mxfp4", "packed-mxfp4"})
  void fourBitFloats(String maker) throws IOException {
    int rows = 37;
    int columns = 96;
    boolean isPowers = maker.endsWith("mxfp4");
    boolean isRenamed = maker.equals("compressed-tensors") || maker.equals("packed-mxfp4");
    int group = isPowers ? 32 : 16;
    Random random = new Random(8);
    Stored codes =
        LayoutSamples.random(
            isRenamed ? NAME + "_packed" : NAME, Dtype.U8, shape(rows, columns / 2), random);
    Stored small =
        isPowers
            ? new Stored(
                NAME + "_scale",
                Dtype.U8,
                shape(rows, columns / group),
                LayoutSamples.random("s", Dtype.F8_E8M0, shape(rows, columns / group), random)
                    .bytes())
            : LayoutSamples.random(
                NAME + "_scale", Dtype.F8_E4M3, shape(rows, columns / group), random);
    Stored global =
        LayoutSamples.random(
            maker.equals("modelopt") ? NAME + "_scale_2" : NAME + "_global_scale",
            Dtype.F32,
            maker.equals("modelopt") ? shape() : shape(1),
            random);
    float[][] expected = new float[rows][columns];
    for (int row = 0; row < rows; row++) {
      for (int column = 0; column < columns; column++) {
        float scale = (float) small.value((long) row * (columns / group) + column / group);
        float factor = (float) global.value(0);
        scale =
            switch (maker) {
              case "modelopt" -> scale * factor;
              case "compressed-tensors" -> scale / factor;
              default -> scale;
            };
        expected[row][column] = float4(codes, (long) row * columns + column) * scale;
      }
    }
    check(
        isPowers ? List.of(codes, small) : List.of(codes, small, global),
        "{}",
        NAME,
        false,
        expected);
  }

  /** ModelOpt stacks experts as [experts, in / 2, out], with scales [experts, in / 16, out]. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void fourBitFloatsOfExpertsInEitherOrder(boolean turned) throws IOException {
    int out = 40;
    int in = 64;
    Random random = new Random(8);
    Stored codes =
        LayoutSamples.random(
            "l.0.experts.down_proj",
            Dtype.U8,
            turned ? shape(3, in / 2, out) : shape(3, out, in / 2),
            random);
    Stored scales =
        LayoutSamples.random(
            "l.0.experts.down_proj_weight_scale",
            Dtype.F8_E4M3,
            turned ? shape(3, in / 16, out) : shape(3, out, in / 16),
            random);
    Stored global =
        LayoutSamples.random("l.0.experts.down_proj_weight_scale_2", Dtype.F32, shape(3), random);
    float[][] expected = new float[3 * out][in];
    for (int row = 0; row < 3 * out; row++) {
      for (int column = 0; column < in; column++) {
        int expert = row / out;
        long nibble =
            turned
                ? ((long) (expert * in / 2 + column / 2) * out + row % out) * 2 + column % 2
                : (long) row * in + column;
        float scale =
            (float)
                scales.value(
                    turned
                        ? (expert * (in / 16) + column / 16) * (long) out + row % out
                        : row * (in / 16L) + column / 16);
        expected[row][column] = float4(codes, nibble) * (scale * (float) global.value(expert));
      }
    }
    for (boolean familySays : new boolean[] {false, true}) {
      check(
          List.of(codes, scales, global),
          "{}",
          "l.0.experts.down_proj",
          familySays,
          expected.clone());
    }
  }

  private static float float4(Stored codes, long index) {
    float[] magnitudes = {0, .5f, 1, 1.5f, 2, 3, 4, 6};
    int code = codes.bytes()[(int) (index / 2)] >> 4 * (index % 2) & 15;
    return (code < 8 ? 1 : -1) * magnitudes[code % 8];
  }

  /** Whatever bits, widths and groups; zero points are packed along the output channels. */
  @ParameterizedTest(
      name = "{0} bits, {1} x {2} x {3}, group {4}, zero points {5}, by word {6}, order {7}")
  @CsvSource({
    "4, 0, 24, 64, 16, true, false, false",
    "4, 0, 24, 64, 64, false, false, false",
    "4, 0, 21, 67, 67, true, false, false",
    "8, 0, 24, 96, 32, true, false, false",
    "3, 0, 45, 96, 32, true, false, false",
    "3, 0, 45, 131, 131, true, false, false",
    "3, 0, 45, 160, 32, true, true, false",
    "5, 0, 33, 4200, 4200, false, false, false",
    "2, 0, 19, 5000, 1000, true, false, false",
    "6, 0, 19, 48, 16, true, false, true",
    "4, 0, 19, 96, 32, false, false, true",
    "4, 3, 10, 64, 32, true, false, false",
    "7, 2, 9, 64, 64, true, false, false",
    "1, 0, 9, 64, 32, false, false, false"
  })
  void packedIntegers(
      int bits,
      int experts,
      int out,
      int in,
      int group,
      boolean hasZeros,
      boolean byWord,
      boolean ordered)
      throws IOException {
    Random random = new Random(bits * 1000L + in);
    int rows = Math.max(1, experts) * out;
    int groups = in / group;
    int[][] codes = PackedIntegers.random(rows, in, bits, random);
    int[][] zeros = PackedIntegers.random(rows, groups, bits, random);
    Stored scales =
        LayoutSamples.random(
            NAME + "_scale",
            Dtype.BF16,
            experts == 0 ? shape(out, groups) : shape(experts, out, groups),
            random);
    int[] order = new int[in];
    for (int i = 0; i < in; i++) {
      order[i] = ordered ? (i * 7 + 3) % in / group : i / group;
    }
    float[][] expected = new float[rows][in];
    for (int row = 0; row < rows; row++) {
      for (int column = 0; column < in; column++) {
        int code = codes[row][column] - (hasZeros ? zeros[row][order[column]] : 0);
        expected[row][column] = code * (float) scales.value((long) row * groups + order[column]);
      }
    }
    List<Stored> tensors =
        Stream.of(
                Stream.of(
                    PackedIntegers.rows(NAME + "_packed", codes, experts, bits, byWord),
                    scales,
                    PackedIntegers.longs(
                        NAME + "_shape", experts == 0 ? shape(out, in) : shape(experts, out, in))),
                hasZeros
                    ? Stream.of(
                        PackedIntegers.columns(NAME + "_zero_point", zeros, experts, bits, byWord))
                    : Stream.<Stored>of(),
                ordered
                    ? Stream.of(PackedIntegers.ints(NAME + "_g_idx", order))
                    : Stream.<Stored>of())
            .flatMap(tensor -> tensor)
            .toList();
    check(tensors, "{}", NAME, false, expected);
  }

  @ParameterizedTest
  @CsvSource({"48x1, true", "48x1, false", "48x5, true", "1, false", "48, true"})
  void bytesWithScales(String scaleShape, boolean hasZeros) throws IOException {
    Random random = new Random(2);
    List<Long> lengths = Stream.of(scaleShape.split("x")).map(Long::valueOf).toList();
    int count = (int) (long) lengths.stream().reduce(1L, Math::multiplyExact);
    Stored codes = LayoutSamples.random(NAME, Dtype.I8, shape(48, 80), random);
    Stored scales = LayoutSamples.random(NAME + "_scale", Dtype.F32, lengths, random);
    Stored zeros = LayoutSamples.random(NAME + "_zero_point", Dtype.I8, lengths, random);
    float[][] expected = new float[48][80];
    for (int row = 0; row < 48; row++) {
      for (int column = 0; column < 80; column++) {
        int tile = count == 1 ? 0 : count == 48 ? row : row * 5 + column / 16;
        int code = codes.bytes()[row * 80 + column] - (hasZeros ? zeros.bytes()[tile] : 0);
        expected[row][column] = code * (float) scales.value(tile);
      }
    }
    check(
        hasZeros ? List.of(codes, scales, zeros) : List.of(codes, scales),
        "{}",
        NAME,
        false,
        expected);
  }

  @Test
  void groupsThatAreNotThereAreNamed() throws IOException {
    Random random = new Random(1);
    int[] order = new int[64];
    Arrays.fill(order, 40, 64, 4);
    Stored packed =
        PackedIntegers.rows(NAME + "_packed", PackedIntegers.random(8, 64, 4, random), 0, 4, false);
    broken(
        List.of(
            packed,
            LayoutSamples.random(NAME + "_scale", Dtype.F16, shape(8, 4), random),
            PackedIntegers.longs(NAME + "_shape", shape(8, 64)),
            PackedIntegers.ints(NAME + "_g_idx", order)),
        "weight_g_idx\": entry 40: expected a group from 0 to 3, found 4");
  }

  @Test
  void aSecondScaleThatCannotBeIsNamed() throws IOException {
    Random random = new Random(1);
    Stored codes = LayoutSamples.random(NAME + "_packed", Dtype.U8, shape(8, 32), random);
    Stored scales = LayoutSamples.random(NAME + "_scale", Dtype.F8_E4M3, shape(8, 4), random);
    Stored global = LayoutSamples.random(NAME + "_global_scale", Dtype.F32, shape(1), random);
    broken(
        List.of(codes, scales, global.with(0, 0)), "weight_global_scale\": the scales of tensor");
    broken(
        List.of(codes, scales, global.with(0, Float.floatToIntBits(Float.NaN))),
        "weight_global_scale\": row 0, column 0: expected a finite scale, found NaN");
    broken(
        List.of(codes, scales.with(9, 0x7F), global),
        "weight_scale\": row 2, column 1: expected a finite scale, found NaN");
  }

  private void broken(List<Stored> tensors, String message) throws IOException {
    Path at = folder.resolve("b" + message.hashCode());
    LayoutSamples.write(at, tensors);
    try (Checkpoint checkpoint = Checkpoint.open(at);
        Arena arena = Arena.ofConfined()) {
      WeightTensor weight = weight(checkpoint, NAME, false);
      FloatMatrix all = FloatMatrix.allocate(arena, weight.allRows(), weight.columns());
      assertThatThrownBy(() -> checkpoint.readFloats(weight, 0, 0, all))
          .isInstanceOf(CheckpointException.class)
          .hasMessageContaining(message);
    }
  }

  /** What the stored shape says is not believed where the words say otherwise. */
  @Test
  void shapesThatDoNotGoWithTheWordsAreTold() throws IOException {
    Random random = new Random(1);
    Stored packed =
        PackedIntegers.rows(NAME + "_packed", PackedIntegers.random(8, 64, 4, random), 0, 4, false);
    Stored scales = LayoutSamples.random(NAME + "_scale", Dtype.F16, shape(8, 4), random);
    for (List<Long> held :
        List.of(shape(9, 64), shape(8, 900), List.of(8L, -1L), List.of(8L, 1L << 40))) {
      Path at = folder.resolve("s" + held.hashCode());
      LayoutSamples.write(at, List.of(packed, scales, PackedIntegers.longs(NAME + "_shape", held)));
      try (Checkpoint checkpoint = Checkpoint.open(at)) {
        assertThat(checkpoint.weights().read(checkpoint.tensor(NAME).orElseThrow(), false))
            .isInstanceOf(Reading.NoWeights.class);
      }
    }
  }
}

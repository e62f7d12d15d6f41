package io.cafeq.engine.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.cafeq.engine.checkpoint.LayoutSamples.Stored;
import io.cafeq.engine.checkpoint.WeightTensors.Reading;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.modelconfig.ModelConfig;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class WeightTensorsTest {
  private static final String FINE_TILES =
      "{\"quantization_config\": {\"weight_block_size\": [64, 32]}}";

  private static ModelConfig config(String text) {
    try {
      return ModelConfig.of(new JsonMapper().readTree(text));
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException(e);
    }
  }

  private static TensorInfo tensor(String name, Dtype dtype, Long... shape) {
    long elements = 1;
    for (long length : shape) {
      elements *= length;
    }
    return new TensorInfo(
        name, dtype, List.of(shape), name + ".safetensors", 8, elements * dtype.bytes());
  }

  private static WeightTensor weight(String config, boolean transposed, TensorInfo... tensors) {
    Reading reading =
        WeightTensors.of(Arrays.asList(tensors), config(config)).read(tensors[0], transposed);
    assertThat(reading).isInstanceOf(Reading.Weights.class);
    return ((Reading.Weights) reading).weight();
  }

  private static String reason(boolean transposed, TensorInfo... tensors) {
    Reading reading =
        WeightTensors.of(Arrays.asList(tensors), config("{}")).read(tensors[0], transposed);
    assertThat(reading).isInstanceOf(Reading.NoWeights.class);
    return ((Reading.NoWeights) reading).reason();
  }

  @Test
  void floatsAreMatricesOrStacksInTheirFamilysOrder() {
    WeightTensor plain = weight("{}", false, tensor("w", Dtype.BF16, 3L, 5L));
    assertThat(plain.layout().kind()).isEqualTo(LayoutKind.PLAIN);
    assertThat(List.of(plain.experts(), plain.rows(), plain.columns())).containsExactly(1, 3, 5);
    WeightTensor turned = weight("{}", true, tensor("w", Dtype.F32, 7L, 3L, 5L));
    assertThat(turned.layout().kind()).isEqualTo(LayoutKind.TRANSPOSED);
    assertThat(List.of(turned.experts(), turned.rows(), turned.columns())).containsExactly(7, 5, 3);
    assertThat(turned.allRows()).isEqualTo(35);
  }

  private static WeightLayout.Tiles tiles(String config, Long... shape) {
    TensorInfo weights = tensor("w", Dtype.F8_E4M3, 576L, 200L);
    WeightLayout layout =
        weight(config, false, weights, tensor("w_scale_inv", Dtype.F32, shape)).layout();
    assertThat(weight(config, false, weights, tensor("w_scale", Dtype.F32, shape)).layout().kind())
        .isEqualTo(LayoutKind.TILED);
    return ((WeightLayout.Quantized) layout).scales().tiles();
  }

  /** A square matrix fits both ways: the others of its checkpoint tell. */
  @Test
  void scalesOfSquareMatricesAreTransposedWhereThoseOfOthersAre() {
    String stated = "{\"quantization_config\": {\"weight_block_size\": [32, 32]}}";
    TensorInfo square = tensor("q.weight", Dtype.F8_E4M3, 64L, 64L);
    TensorInfo scales = tensor("q.weight_scale_inv", Dtype.F32, 2L, 2L);
    TensorInfo oblong = tensor("gate.weight", Dtype.F8_E4M3, 96L, 64L);
    TensorInfo turned = tensor("gate.weight_scale_inv", Dtype.F32, 2L, 3L);
    TensorInfo straight = tensor("gate.weight_scale_inv", Dtype.F32, 3L, 2L);
    assertThat(transposedScales(stated, square, scales, oblong, turned)).isTrue();
    assertThat(transposedScales(stated, square, scales, oblong, straight)).isFalse();
    assertThat(transposedScales(stated, square, scales)).isFalse();
    String flat = "{\"quantization_config\": {\"weight_block_size\": [16, 32]}}";
    assertThat(transposedScales(flat, square, tensor("q.weight_scale_inv", Dtype.F32, 2L, 4L)))
        .isTrue();
    assertThat(transposedScales(flat, square, tensor("q.weight_scale_inv", Dtype.F32, 4L, 2L)))
        .isFalse();
  }

  private static boolean transposedScales(String config, TensorInfo... tensors) {
    return ((WeightLayout.Quantized) weight(config, false, tensors).layout())
        .scales()
        .tiles()
        .isTransposed();
  }

  @Test
  void scalesBelongToTilesRowsOrAll() {
    String nested = "{\"text_config\": " + FINE_TILES + "}";
    String none = "{\"quantization_config\": {\"weight_block_size\": null}}";
    for (String config : List.of("{}", none)) {
      assertThat(tiles(config, 5L, 2L)).extracting("rows", "columns").containsExactly(128, 128);
    }
    for (String config : List.of(FINE_TILES, nested)) {
      assertThat(tiles(config, 9L, 7L)).extracting("rows", "columns").containsExactly(64, 32);
    }
    assertThat(tiles("{}", 576L, 1L)).extracting("rows", "columns").containsExactly(1, 200);
    assertThat(tiles("{}", 576L)).extracting("rows", "columns").containsExactly(1, 200);
    assertThat(tiles("{}", 1L)).extracting("rows", "columns").containsExactly(576, 200);
    assertThat(tiles("{}")).extracting("rows", "columns").containsExactly(576, 200);
    assertThat(tiles("{}", 1L, 1L)).extracting("rows", "columns").containsExactly(576, 200);
  }

  @Test
  void blocksAreStacksWhateverTheFamilySays() {
    TensorInfo scales = tensor("m.gate_up_proj_scales", Dtype.U8, 4L, 6L, 3L);
    for (boolean transposed : new boolean[] {false, true}) {
      WeightTensor weight =
          weight(
              "{}", transposed, tensor("m.gate_up_proj_blocks", Dtype.U8, 4L, 6L, 3L, 16L), scales);
      assertThat(weight.layout()).isEqualTo(LayoutSamples.microScaled(weight.info(), scales));
      assertThat(List.of(weight.experts(), weight.rows(), weight.columns()))
          .containsExactly(4, 6, 96);
      assertThat(weight.denseDtype()).isEqualTo(Dtype.BF16);
    }
  }

  @Test
  void scalesAreListedWithTheirWeights() {
    WeightTensors tensors =
        WeightTensors.of(
            List.of(
                tensor("a.weight", Dtype.F8_E4M3, 4L, 4L),
                    tensor("a.weight_scale_inv", Dtype.F32, 1L, 1L),
                tensor("b_blocks", Dtype.U8, 1L, 2L, 1L, 16L),
                    tensor("b_scales", Dtype.U8, 1L, 2L, 1L),
                tensor("c.weight", Dtype.BF16, 4L, 4L), tensor("c.weight_scale", Dtype.F32, 1L)),
            config("{}"));
    assertThat(tensors.companions())
        .isEqualTo(Map.of("a.weight_scale_inv", "a.weight", "b_scales", "b_blocks"));
    assertThat(tensors.read(tensor("a.weight_scale_inv", Dtype.F32, 1L, 1L), false))
        .isEqualTo(new Reading.NoWeights("goes into the weights of \"a.weight\""));
  }

  @Test
  void whatIsNoWeightMatrixSaysWhy() {
    assertThat(reason(false, tensor("w", Dtype.BF16, 5L))).contains("1 dimension, a matrix has 2");
    assertThat(reason(false, tensor("w", Dtype.BF16))).contains("0 dimensions");
    assertThat(reason(true, tensor("w", Dtype.F16, 2L, 2L, 2L, 2L))).contains("4 dimensions");
    assertThat(reason(false, tensor("w", Dtype.F32, 5L, 0L))).contains("[5, 0], no elements");
    assertThat(reason(false, tensor("w", Dtype.F32, 1L << 31, 2L)))
        .contains("beyond what a matrix can have");
    assertThat(reason(true, tensor("w", Dtype.F32, 1L << 16, 3L, 1L << 16)))
        .contains("more rows than are counted");
    assertThat(reason(false, tensor("l.qweight", Dtype.I32, 8L, 8L)))
        .contains("packed by another quantizer");
    assertThat(reason(false, tensor("mask", Dtype.BOOL, 8L))).contains("BOOL, no weights");
    assertThat(reason(false, tensor("w", Dtype.F8_E8M0, 8L, 8L))).contains("which are scales");
    assertThat(reason(false, tensor("w", Dtype.F8_E4M3, 8L, 8L)))
        .contains("no scales of them, such as \"w_scale\"");
    assertThat(reason(false, tensor("x_blocks", Dtype.U8, 1L, 8L, 1L, 16L)))
        .contains("no scales \"x_scales\"");
    TensorInfo scale = tensor("w_scale_inv", Dtype.F32, 1L, 1L);
    assertThat(reason(false, tensor("w", Dtype.F8_E5M2, 2L, 8L, 8L, 8L), scale))
        .contains("a stack of them 3");
    assertThat(reason(false, tensor("w", Dtype.F8_E5M2, 8L, 8L), tensor("w_scale", Dtype.I64, 1L)))
        .contains("\"w_scale\" of I64");
    assertThat(
            reason(
                false,
                tensor("x_blocks", Dtype.U8, 1L, 1L, 1L << 27, 16L),
                tensor("x_scales", Dtype.U8, 1L, 1L, 1L << 27)))
        .contains("more rows or columns");
  }

  @Test
  void scalesThatDoNotFitAreNamedWithTheirShapes() {
    unfit(
        "have [4, 2]: expected one for all",
        tensor("w", Dtype.F8_E4M3, 576L, 200L),
        tensor("w_scale_inv", Dtype.F32, 4L, 2L));
    unfit("have [0]", tensor("w", Dtype.F8_E4M3, 576L, 200L), tensor("w_scale", Dtype.F32, 0L));
    unfit(
        "have [4, 6, 4]: expected [4, 6, 3]",
        tensor("w_blocks", Dtype.U8, 4L, 6L, 3L, 16L),
        tensor("w_scales", Dtype.U8, 4L, 6L, 4L));
    unfit(
        "expected the shape [experts, out, in / 32, 16], found [4, 6, 48]",
        tensor("w_blocks", Dtype.U8, 4L, 6L, 48L),
        tensor("w_scales", Dtype.U8, 4L, 6L, 3L));
    unfit(
        "[experts, out, in / 32, 16], found [4, 6, 3, 8]",
        tensor("w_blocks", Dtype.U8, 4L, 6L, 3L, 8L),
        tensor("w_scales", Dtype.U8, 4L, 6L, 3L));
  }

  private static void unfit(String message, TensorInfo weight, TensorInfo scales) {
    assertThat(reason(false, weight, scales))
        .contains(message)
        .contains("\"" + scales.name() + "\"")
        .contains(scales.file());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "[128]",
        "[128, 0]",
        "[128, -1]",
        "128",
        "[1.5, 2]",
        "[\"a\", 2]",
        "[5000000000, 1]"
      })
  void senselessTilesAreRefused(String size) {
    ModelConfig config = config("{\"quantization_config\": {\"weight_block_size\": " + size + "}}");
    assertThatThrownBy(() -> WeightTensors.of(List.of(), config))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining(
            "config.json: quantization_config.weight_block_size: expected two whole numbers above"
                + " 0");
  }

  @Provide
  Arbitrary<List<Long>> shapes() {
    return Arbitraries.of(0L, 1L, 2L, 3L, 16L, 32L, 129L, 1L << 20, 1L << 31).list().ofMaxSize(5);
  }

  /** Whatever the headers say: a sentence, a refusal, or a matrix whose every number fits. */
  @Property(tries = 1000)
  void anyHeaders(
      @ForAll Dtype dtype,
      @ForAll Dtype scaleDtype,
      @ForAll("shapes") List<Long> shape,
      @ForAll("shapes") List<Long> scaleShape,
      @ForAll boolean transposed,
      @ForAll boolean blocks) {
    TensorInfo info =
        new TensorInfo(blocks ? "w_blocks" : "w", dtype, shape, "f", 8, bytes(shape, dtype));
    TensorInfo scales =
        new TensorInfo(
            blocks ? "w_scales" : "w_scale",
            scaleDtype,
            scaleShape,
            "g",
            8,
            bytes(scaleShape, scaleDtype));
    switch (WeightTensors.of(List.of(info, scales), config("{}")).read(info, transposed)) {
      case Reading.Weights(WeightTensor weight) -> {
        assertThat(weight.rows()).isPositive();
        assertThat(weight.columns()).isPositive();
        assertThat(weight.allRows()).isEqualTo(weight.rows() * weight.experts());
        assertThat(weight.elements())
            .isEqualTo(dtype == Dtype.U8 ? 2 * info.elements() : info.elements());
        assertThat(weight.unquantized().elements())
            .isEqualTo(
                weight.layout().kind() == LayoutKind.MICRO_SCALED
                    ? info.elements()
                    : weight.elements());
      }
      case Reading.NoWeights(String reason) -> assertThat(reason).matches("(has|is) .*");
    }
  }

  /** Saturated, since such a file cannot be. */
  private static long bytes(List<Long> shape, Dtype dtype) {
    double bytes = dtype.bytes();
    for (long length : shape) {
      bytes *= length;
    }
    return (long) bytes;
  }

  @Test
  void whatIsFoundIsWhatIsRead(@TempDir Path folder) throws IOException {
    Random random = new Random(4);
    Stored weights = LayoutSamples.random("a.weight", Dtype.F8_E4M3, List.of(130L, 150L), random);
    Stored scales = LayoutSamples.random("a.weight_scale_inv", Dtype.F32, List.of(2L, 2L), random);
    LayoutSamples.write(folder, List.of(scales), List.of(weights));
    try (Checkpoint checkpoint = Checkpoint.open(folder);
        Arena arena = Arena.ofConfined()) {
      Reading reading =
          checkpoint.weights().read(checkpoint.tensor("a.weight").orElseThrow(), false);
      WeightTensor weight = ((Reading.Weights) reading).weight();
      FloatMatrix all = FloatMatrix.allocate(arena, 130, 150);
      checkpoint.readFloats(weight, 0, 0, all);
      assertThat(all.get(129, 149))
          .isEqualTo(LayoutSamples.expected(weight, weights, scales, 129, 149));
    }
  }
}

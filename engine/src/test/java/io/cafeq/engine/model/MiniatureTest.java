package io.cafeq.engine.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.engine.checkpoint.Checkpoint;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.FieldSource;

class MiniatureTest {
  @TempDir Path folder;

  @ParameterizedTest
  @FieldSource("io.cafeq.engine.model.Miniature#NAMES")
  void theFilesHoldTheWeights(String name) {
    Miniature miniature = Miniature.of(name, 3);
    for (Miniature.Spread spread : Miniature.Spread.values()) {
      Path written = folder.resolve(spread.name());
      miniature.write(written, spread);
      Weights read = StoredTensors.read(written);
      assertThat(read.tensors().keySet()).isEqualTo(miniature.weights().tensors().keySet());
      read.tensors()
          .forEach(
              (tensor, values) -> {
                assertThat(values.shape()).isEqualTo(miniature.weights().get(tensor).shape());
                assertThat(values.values()).isEqualTo(miniature.weights().get(tensor).values());
              });
    }
  }

  @Test
  void theSameSeedGivesTheSameBytesAndAnotherGivesOthers() throws IOException {
    Miniature.of("deepseek_v3", 3).write(folder.resolve("a"), Miniature.Spread.APART);
    Miniature.of("deepseek_v3", 3).write(folder.resolve("b"), Miniature.Spread.APART);
    Miniature.of("deepseek_v3", 4).write(folder.resolve("c"), Miniature.Spread.APART);
    List<Path> files;
    try (Stream<Path> listed = Files.list(folder.resolve("a"))) {
      files = listed.map(Path::getFileName).toList();
    }
    assertThat(files).hasSize(5);
    for (Path file : files) {
      assertThat(
              Files.mismatch(folder.resolve("a").resolve(file), folder.resolve("b").resolve(file)))
          .isEqualTo(-1);
    }
    Path first = Path.of("model-00001-of-00003.safetensors");
    assertThat(
            Files.mismatch(folder.resolve("a").resolve(first), folder.resolve("c").resolve(first)))
        .isNotNegative();
  }

  @Test
  void apartMeansValuesOutputsAndScalesInDifferentFiles() {
    Miniature.of("deepseek_v3", 3).write(folder.resolve("deepseek"), Miniature.Spread.APART);
    Miniature.of("qwen2", 3).write(folder.resolve("qwen2"), Miniature.Spread.APART);
    try (Checkpoint deepseek = Checkpoint.open(folder.resolve("deepseek"));
        Checkpoint qwen2 = Checkpoint.open(folder.resolve("qwen2"))) {
      String attention = "model.layers.0.self_attn.";
      assertThat(
              Stream.of("kv_b_proj.weight", "o_proj.weight", "kv_b_proj.weight_scale_inv")
                  .map(name -> deepseek.tensor(attention + name).orElseThrow().file()))
          .doesNotHaveDuplicates();
      assertThat(
              Stream.of("v_proj.weight", "o_proj.weight")
                  .map(name -> qwen2.tensor(attention + name).orElseThrow().file()))
          .doesNotHaveDuplicates();
    }
  }

  @ParameterizedTest
  @EnumSource(Packing.class)
  void packedNumbersComeBackNearly(Packing packing) {
    double[] values = new Draws(5, false).rows("w", 576 * 96, 96);
    double[] back =
        switch (packing) {
          case TILED -> PackedFloats.fromTiled(PackedFloats.tiled(values, 576, 96), 96);
          case MICRO_SCALED -> PackedFloats.fromMicroScaled(PackedFloats.microScaled(values));
        };
    double error = Trace.distance(new double[][] {back}, new double[][] {values});
    assertThat(error).isLessThan(packing == Packing.TILED ? 0.03 : 0.15).isGreaterThan(0.001);
    assertThat(
            packing == Packing.TILED ? PackedFloats.tiled(values, 576, 96).scales() : new byte[20])
        .hasSize(20);
  }

  private enum Packing {
    TILED,
    MICRO_SCALED
  }

  @Test
  void knownCodesOfEightAndFourBits() {
    assertThat(
            new double[] {
              NumberCodec.fromE4m3((byte) 0x7E),
              NumberCodec.fromE4m3((byte) 0x01),
              NumberCodec.fromE4m3((byte) 0xB8)
            })
        .containsExactly(448, 0x1p-9, -1);
    byte[] codes = new byte[16];
    codes[0] = (byte) 0xA7;
    codes[15] = (byte) 0x0F;
    double[] values =
        PackedFloats.fromMicroScaled(new PackedFloats.Packed(codes, new byte[] {(byte) 128}));
    assertThat(new double[] {values[0], values[1], values[30], values[31]})
        .containsExactly(12, -2, -12, 0);
  }
}

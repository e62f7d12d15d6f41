package io.cafeq.engine.block;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cafeq.config.Side;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.grid.EncodedSlab;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.transform.ColumnScales;
import io.cafeq.engine.transform.StoredTransform;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Column scales in a unit's file: what they do to decoded rows, and damage. */
class ColumnScalesFileTest {
  private static final String SHARED = "u";
  private static final TensorHeader.TransformUse USE =
      new TensorHeader.TransformUse(SHARED, Side.INPUT);
  private static final TensorHeader FIRST =
      new TensorHeader(
          "q.weight",
          Dtype.BF16,
          List.of(10L, 24L),
          new TensorHeader.Coding(UnitFiles.GRID, USE, SHARED, false));
  private static final TensorHeader SECOND =
      new TensorHeader(
          "k.weight",
          Dtype.BF16,
          List.of(6L, 24L),
          new TensorHeader.Coding(UnitFiles.GRID, null, SHARED, false));

  @TempDir Path folder;

  private void write(Path file, boolean scaled, Map<String, ColumnScales> scales) {
    Random random = new Random(4);
    List<TensorHeader> tensors =
        scaled ? List.of(FIRST, SECOND) : List.of(without(FIRST), without(SECOND));
    UnitHeader header = new UnitHeader(SHARED, UnitFiles.IDENTITY, "k", tensors);
    try (Arena arena = Arena.ofConfined();
        UnitFileWriter writer = UnitFileWriter.open(file, header)) {
      UnitFiles.transforms(random, Side.INPUT, 24, 16, StoredTransform.Format.INT8)
          .forEach(block -> writer.writeTransform(SHARED, block));
      scales.forEach(writer::writeColumnScales);
      EncodedSlab first = UnitFiles.slab(arena, random, UnitFiles.GRID, 10, 24);
      EncodedSlab second = UnitFiles.slab(arena, random, UnitFiles.GRID, 6, 24);
      writer.writeSlab("q.weight", -1, 0, first);
      writer.writeSlab("k.weight", -1, 0, second);
      writer.finish(new TreeMap<>(), null);
    }
  }

  private static TensorHeader without(TensorHeader tensor) {
    TensorHeader.Coding coding = tensor.sections().getFirst().coding();
    return new TensorHeader(
        tensor.name(),
        tensor.dtype(),
        tensor.shape(),
        new TensorHeader.Coding(coding.grid(), coding.transform()));
  }

  private static ColumnScales scales(int channels) {
    byte[] exponents = new byte[channels];
    new Random(9).nextBytes(exponents);
    return ColumnScales.stored(exponents);
  }

  private static List<Float> decoded(Path file, String tensor, int rows) {
    List<Float> all = new ArrayList<>();
    try (UnitFileReader reader = UnitFileReader.open(file);
        Arena arena = Arena.ofConfined()) {
      new WeightPieces(reader, arena)
          .forEach(
              tensor,
              (channel, weights, slab) -> {
                for (long i = 0; i < weights.elements(); i++) {
                  all.add(weights.get((int) (i / 24), (int) (i % 24)));
                }
              });
      FloatMatrix some = FloatMatrix.allocate(arena, 3, 24);
      new WeightRows(reader, arena).read(tensor, rows - 3, some);
      for (int i = 0; i < 72; i++) {
        assertThat(some.get(i / 24, i % 24)).isEqualTo(all.get((rows - 3) * 24 + i));
      }
    }
    return all;
  }

  @Test
  void decodedColumnsAreMultipliedByOneThroughTheirScale() {
    Path scaled = folder.resolve("scaled.arrow");
    Path plain = folder.resolve("plain.arrow");
    ColumnScales scales = scales(24);
    write(scaled, true, Map.of(SHARED, scales));
    write(plain, false, Map.of());
    for (String tensor : List.of("q.weight", "k.weight")) {
      int rows = tensor.equals("q.weight") ? 10 : 6;
      List<Float> with = decoded(scaled, tensor, rows);
      List<Float> without = decoded(plain, tensor, rows);
      for (int i = 0; i < with.size(); i++) {
        assertThat(with.get(i)).isEqualTo(without.get(i) * scales.inverse(i % 24));
      }
    }
    try (UnitFileReader reader = UnitFileReader.open(scaled)) {
      assertThat(reader.columnScales(SHARED)).isEqualTo(scales);
      assertThat(reader.header().tensors()).containsExactly(FIRST, SECOND);
    }
  }

  @Test
  void whatDoesNotFitTheHeaderIsRefused() {
    Path file = folder.resolve("unit.arrow");
    write(file, true, Map.of());
    refused(file, "column scales u");
    write(file, true, Map.of(SHARED, scales(23)));
    refused(file, "23 columns");
    write(file, false, Map.of(SHARED, scales(24)));
    refused(file, "no tensor of its header uses");
  }

  @Test
  void noByteOfThemIsLost() throws IOException {
    Path file = folder.resolve("unit.arrow");
    write(file, true, Map.of(SHARED, scales(24)));
    byte[] sound = Files.readAllBytes(file);
    List<Float> before = decoded(file, "q.weight", 10);
    int refused = 0;
    for (int at = 0; at < sound.length; at += 3) {
      byte[] bytes = sound.clone();
      bytes[at] ^= (byte) 0x55;
      Files.write(file, bytes);
      try {
        assertThat(decoded(file, "q.weight", 10)).isEqualTo(before);
      } catch (EngineException e) {
        assertThat(e.kind()).isEqualTo(FailureKind.RESULT);
        refused++;
      }
    }
    assertThat(refused).isGreaterThan(sound.length / 60);
  }

  private static void refused(Path file, String named) {
    assertThatThrownBy(() -> UnitFileReader.open(file).close())
        .isInstanceOfSatisfying(
            EngineException.class, e -> assertThat(e.kind()).isEqualTo(FailureKind.RESULT))
        .hasMessageContaining(named);
  }
}

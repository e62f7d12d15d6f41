package io.cafeq.engine.block;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.grid.EncodedSlab;
import io.cafeq.engine.transform.ColumnScales;
import io.cafeq.engine.transform.StoredTransform;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Damaged files either give the very same rows (where a byte has no meaning) or a failure of kind
 * RESULT that names them.
 */
class HostileUnitFileTest {
  @TempDir Path folder;
  private Path file;
  private byte[] sound;

  @BeforeEach
  void writeSample() throws IOException {
    file = folder.resolve("sample.arrow");
    UnitFiles.writeSample(file);
    sound = Files.readAllBytes(file);
  }

  @Test
  void flippedBytesNeverGiveOtherRows() throws IOException {
    flipEvery(29);
  }

  @Tag("slow")
  @Test
  void moreFlippedBytesNeverGiveOtherRows() throws IOException {
    flipEvery(5);
  }

  private void flipEvery(int step) throws IOException {
    List<Object> rows = rows();
    int refused = 0;
    int[] flips = {0x01, 0x80, 0xFF};
    for (int at = 0; at < sound.length; at += step) {
      byte[] bytes = sound.clone();
      bytes[at] ^= (byte) flips[at % flips.length];
      Files.write(file, bytes);
      if (sameOrRefused(rows, "byte " + at)) {
        refused++;
      }
    }
    assertThat(refused).isGreaterThan(sound.length / (10 * step));
  }

  @Test
  void randomDamageNeverGivesOtherRows() throws IOException {
    List<Object> rows = rows();
    Random random = new Random(5);
    for (int round = 0; round < 600; round++) {
      byte[] bytes = sound.clone();
      int length = 1 + random.nextInt(16);
      // Half of the rounds aim at the footer, where offsets and lengths stand.
      int from =
          round % 2 == 0
              ? random.nextInt(bytes.length)
              : bytes.length - 1 - random.nextInt(bytes.length / 4);
      for (int i = from; i < Math.min(bytes.length, from + length); i++) {
        bytes[i] = (byte) (round % 3 == 0 ? 0xFF : random.nextInt());
      }
      Files.write(file, bytes);
      sameOrRefused(rows, "round " + round);
    }
  }

  @Test
  void truncatedFilesAreRefused() throws IOException {
    for (int length = 0; length < sound.length; length += 13) {
      Files.write(file, Arrays.copyOf(sound, length));
      refused("sample.arrow");
    }
  }

  @Test
  void otherFilesAreRefused() throws IOException {
    Files.writeString(file, "not an Arrow file at all, but long enough to be one");
    refused("not a complete Arrow file");
    Files.delete(file);
    refused("is missing");
  }

  @Test
  void aNewerMajorVersionIsRefused() throws IOException {
    NewerVersions.rewrite(file, "3.0");
    refused("format version 3.0");
  }

  @Test
  void columnsAndKeysOfANewerMinorVersionAreIgnored() throws IOException {
    List<Object> rows = rows();
    NewerVersions.rewrite(file, "2.9");
    assertThat(Files.readAllBytes(file)).isNotEqualTo(sound);
    assertThat(rows()).isEqualTo(rows);
  }

  @Test
  void exponentsAreNeverLost() throws IOException {
    damageExponents(7);
  }

  @Tag("slow")
  @Test
  void exponentsAreLostByNoByteOfDamage() throws IOException {
    damageExponents(1);
  }

  private void damageExponents(int step) throws IOException {
    TensorHeader tensor =
        new TensorHeader(
            "q.weight",
            io.cafeq.engine.checkpoint.Dtype.BF16,
            List.of(4L, 24L),
            new TensorHeader.Coding(UnitFiles.GRID, null));
    UnitHeader header = new UnitHeader("u", UnitFiles.IDENTITY, "k", List.of(tensor));
    try (java.lang.foreign.Arena arena = java.lang.foreign.Arena.ofConfined();
        UnitFileWriter writer = UnitFileWriter.open(file, header)) {
      EncodedSlab slab = UnitFiles.slab(arena, new Random(2), UnitFiles.GRID, 4, 24);
      writer.writeSlab(
          "q.weight",
          -1,
          0,
          UnitFiles.withExponents(slab, (byte) -9, (byte) 0, (byte) 3, (byte) 100));
      writer.finish(new java.util.TreeMap<>(), null);
    }
    sound = Files.readAllBytes(file);
    List<Object> rows = rows();
    assertThat(rows.toString()).contains("[-9, 0, 3, 100]");
    int refused = 0;
    for (int at = 0; at < sound.length; at += step) {
      byte[] bytes = sound.clone();
      bytes[at] ^= (byte) (at % 2 == 0 ? 1 : 0xFF);
      Files.write(file, bytes);
      refused += sameOrRefused(rows, "byte " + at) ? 1 : 0;
    }
    assertThat(refused).isGreaterThan(sound.length / (50 * step));
  }

  @Test
  void rowsThatAreMissingOrOverlapAreNamed() {
    Random random = new Random(1);
    writeSlabs(random, 0, 4, 4, 6);
    assertThat(open()).isNull();
    writeSlabs(random, 0, 4, 5, 5);
    refused("q.weight");
    writeSlabs(random, 0, 4, 3, 7);
    refused("q.weight");
    writeSlabs(random, 0, 4, 4, 5);
    refused("9 output channels");
  }

  private void writeSlabs(Random random, int first, int rows, int second, int otherRows) {
    TensorHeader tensor =
        new TensorHeader(
            "q.weight",
            io.cafeq.engine.checkpoint.Dtype.BF16,
            List.of(10L, 24L),
            new TensorHeader.Coding(UnitFiles.GRID, null));
    UnitHeader header = new UnitHeader("u", UnitFiles.IDENTITY, "k", List.of(tensor));
    try (java.lang.foreign.Arena arena = java.lang.foreign.Arena.ofConfined();
        UnitFileWriter writer = UnitFileWriter.open(file, header)) {
      writer.writeSlab(
          "q.weight", -1, first, UnitFiles.slab(arena, random, UnitFiles.GRID, rows, 24));
      writer.writeSlab(
          "q.weight", -1, second, UnitFiles.slab(arena, random, UnitFiles.GRID, otherRows, 24));
      writer.finish(new java.util.TreeMap<>(), null);
    }
  }

  private @org.jspecify.annotations.Nullable EngineException open() {
    try (UnitFileReader reader = UnitFileReader.open(file)) {
      reader.forEach(row -> {});
      return null;
    } catch (EngineException e) {
      return e;
    }
  }

  private boolean sameOrRefused(List<Object> rows, String what) {
    try {
      assertThat(rows()).as(what).isEqualTo(rows);
      return false;
    } catch (EngineException e) {
      assertThat(e.kind()).as(what).isEqualTo(FailureKind.RESULT);
      assertThat(e).as(what).hasMessageContaining("sample.arrow");
      return true;
    }
  }

  private void refused(String named) {
    assertThatThrownBy(() -> UnitFileReader.open(file).close())
        .isInstanceOfSatisfying(
            EngineException.class, e -> assertThat(e.kind()).isEqualTo(FailureKind.RESULT))
        .hasMessageContaining(named);
  }

  /** Header, figures, hashes and every row by value. */
  private List<Object> rows() {
    List<Object> rows = new ArrayList<>();
    try (UnitFileReader reader = UnitFileReader.open(file)) {
      rows.add(reader.header());
      rows.add(String.valueOf(reader.figures()));
      rows.add(reader.sourceHashes());
      reader.forEach(
          row ->
              rows.add(
                  switch (row) {
                    case UnitRow.Transform(String key, StoredTransform block) ->
                        List.of(key, block);
                    case UnitRow.Scales(String key, ColumnScales scales) -> List.of(key, scales);
                    case UnitRow.Slab(String tensor, int expert, long first, EncodedSlab slab) ->
                        List.of(
                            tensor,
                            expert,
                            first,
                            slab.rows(),
                            slab.squaredError(),
                            slab.squaredNorm(),
                            bytes(slab.codes()),
                            bytes(slab.rowScales()),
                            bytes(slab.scales()),
                            bytes(slab.zeros()),
                            bytes(slab.exponents()));
                    case UnitRow.Raw(String tensor, long offset, MemorySegment bytes) ->
                        List.of(tensor, offset, bytes(bytes));
                  }));
    }
    return rows;
  }

  private static String bytes(MemorySegment segment) {
    return Arrays.toString(segment.toArray(ValueLayout.JAVA_BYTE));
  }
}

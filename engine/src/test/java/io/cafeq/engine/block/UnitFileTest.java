package io.cafeq.engine.block;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.cafeq.config.ScaleStorage;
import io.cafeq.config.Side;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.grid.EncodedSlab;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.transform.ColumnScales;
import io.cafeq.engine.transform.StoredTransform;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class UnitFileTest {
  @TempDir Path folder;

  @Test
  void theSameCallsGiveTheSameBytesAndRowsComeBackInOrder() throws IOException {
    Path first = folder.resolve("first.arrow");
    Path second = folder.resolve("second.arrow");
    UnitFiles.writeSample(first);
    UnitFiles.writeSample(second);
    assertThat(Files.mismatch(first, second)).isEqualTo(-1);

    try (UnitFileReader reader = UnitFileReader.open(first)) {
      assertThat(reader.header()).isEqualTo(UnitFiles.sampleHeader());
      assertThat(reader.figures()).isEqualTo(UnitFiles.FIGURES);
      assertThat(reader.sourceHashes())
          .containsOnlyKeys(
              "v.weight",
              "o.weight",
              "v.bias",
              "experts",
              "codes",
              "codes_scale_inv",
              "norm.weight");
      List<String> rows = new ArrayList<>();
      reader.forEach(
          row ->
              rows.add(
                  switch (row) {
                    case UnitRow.Transform(String key, StoredTransform block) ->
                        key + "@" + block.firstChannel();
                    case UnitRow.Scales(String key, ColumnScales scales) ->
                        key + "*" + scales.channels();
                    case UnitRow.Slab(String tensor, int expert, long firstRow, EncodedSlab slab) ->
                        tensor
                            + (expert < 0 ? "" : "." + expert)
                            + "@"
                            + firstRow
                            + "+"
                            + slab.rows();
                    case UnitRow.Raw(String tensor, long offset, MemorySegment bytes) ->
                        tensor + "@" + offset + "+" + bytes.byteSize();
                  }));
      assertThat(rows).isEqualTo(UnitFiles.SAMPLE_ROWS);
    }
  }

  @Property(tries = 300)
  void slabsComeBackAsTheyWere(
      @ForAll ScaleStorage storage,
      @ForAll @IntRange(min = 2, max = 8) int bits,
      @ForAll @IntRange(min = 0, max = 13) int group,
      @ForAll @IntRange(min = 1, max = 9) int groups,
      @ForAll @IntRange(min = 1, max = 7) int rows,
      @ForAll boolean six,
      @ForAll boolean ordinary,
      @ForAll long seed)
      throws IOException {
    GridSpec grid = new GridSpec(bits, group, storage, six ? 6 : 8, true);
    int columns = group == 0 ? 3 + groups : group * groups;
    Path file = Files.createTempFile("unit", ".arrow");
    try (Arena arena = Arena.ofConfined()) {
      Random random = new Random(seed);
      byte[] exponents = new byte[ordinary ? 0 : rows];
      random.nextBytes(exponents);
      EncodedSlab slab =
          UnitFiles.withExponents(UnitFiles.slab(arena, random, grid, rows, columns), exponents);
      UnitHeader header =
          new UnitHeader(
              "one",
              UnitFiles.IDENTITY,
              "scalar/java",
              List.of(
                  new TensorHeader(
                      "w",
                      Dtype.F16,
                      List.of((long) rows, (long) columns),
                      new TensorHeader.Coding(grid, null))));
      try (UnitFileWriter writer = UnitFileWriter.open(file, header)) {
        writer.writeSlab("w", -1, 0, slab);
        writer.finish(new TreeMap<>(), null);
      }
      List<Boolean> equal = new ArrayList<>();
      try (UnitFileReader reader = UnitFileReader.open(file)) {
        reader.forEachSlab("w", row -> equal.add(same(row.slab(), slab)));
      }
      assertThat(equal).containsExactly(true);
    } finally {
      Files.deleteIfExists(file);
    }
  }

  @Property(tries = 100)
  void transformsComeBackAsTheyWere(
      @ForAll Side side,
      @ForAll StoredTransform.Format format,
      @ForAll @IntRange(min = 1, max = 40) int k,
      @ForAll @IntRange(min = 1, max = 90) int channels,
      @ForAll long seed)
      throws IOException {
    Random random = new Random(seed);
    List<StoredTransform> blocks = UnitFiles.transforms(random, side, channels, k, format);
    GridSpec grid = new GridSpec(2, 0, ScaleStorage.F16, 8, false);
    int rows = side == Side.OUTPUT ? channels : 3;
    int columns = side == Side.OUTPUT ? 5 : channels;
    UnitHeader header =
        new UnitHeader(
            "one",
            UnitFiles.IDENTITY,
            "k",
            List.of(
                new TensorHeader(
                    "w",
                    Dtype.F32,
                    List.of((long) rows, (long) columns),
                    new TensorHeader.Coding(grid, new TensorHeader.TransformUse("w", side)))));
    Path file = Files.createTempFile("unit", ".arrow");
    try (Arena arena = Arena.ofConfined()) {
      try (UnitFileWriter writer = UnitFileWriter.open(file, header)) {
        blocks.forEach(block -> writer.writeTransform("w", block));
        writer.writeSlab("w", -1, 0, UnitFiles.slab(arena, random, grid, rows, columns));
        writer.finish(new TreeMap<>(), null);
      }
      try (UnitFileReader reader = UnitFileReader.open(file)) {
        for (StoredTransform block : blocks) {
          assertThat(reader.transform("w", block.firstChannel())).isEqualTo(block);
        }
      }
    } finally {
      Files.deleteIfExists(file);
    }
  }

  @Test
  void givingUpDeletesTheFile() {
    Path file = folder.resolve("half.arrow.part");
    UnitFileWriter writer = UnitFileWriter.open(file, UnitFiles.sampleHeader());
    assertThat(file).exists();
    writer.close();
    assertThat(file).doesNotExist();
  }

  @Test
  void slabsThatWereNotAnnouncedAreRefused() {
    Random random = new Random(1);
    try (Arena arena = Arena.ofConfined();
        UnitFileWriter writer =
            UnitFileWriter.open(folder.resolve("a"), UnitFiles.sampleHeader())) {
      GridSpec other = new GridSpec(5, 8, ScaleStorage.ZERO_POINT, 8, true);
      EncodedSlab slab = UnitFiles.slab(arena, random, other, 1, 24);
      assertThatThrownBy(() -> writer.writeSlab("v.weight", -1, 0, slab))
          .hasMessageContaining("v.weight");
      EncodedSlab acrossSections = UnitFiles.slab(arena, random, UnitFiles.PLAIN, 3, 24);
      assertThatThrownBy(() -> writer.writeSlab("v.weight", -1, 0, acrossSections))
          .hasMessageContaining("v.weight");
      assertThatThrownBy(() -> writer.writeRaw("codes_scale_inv", 0, slab.codes()))
          .hasMessageContaining("codes_scale_inv");
      assertThatThrownBy(() -> writer.writeSlab("unknown", -1, 0, slab))
          .hasMessageContaining("unknown");
    }
  }

  static boolean same(EncodedSlab a, EncodedSlab b) {
    return a.grid().equals(b.grid())
        && a.rows() == b.rows()
        && a.columns() == b.columns()
        && a.codes().mismatch(b.codes()) == -1
        && a.rowScales().mismatch(b.rowScales()) == -1
        && a.scales().mismatch(b.scales()) == -1
        && a.zeros().mismatch(b.zeros()) == -1
        && a.exponents().mismatch(b.exponents()) == -1
        && a.squaredError() == b.squaredError()
        && a.squaredNorm() == b.squaredNorm();
  }
}

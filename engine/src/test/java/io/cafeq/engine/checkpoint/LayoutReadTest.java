package io.cafeq.engine.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.cafeq.engine.checkpoint.LayoutSamples.Stored;
import io.cafeq.engine.memory.FloatMatrix;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Rectangles of every layout against a reader that takes one element after the other. */
class LayoutReadTest {
  private static final Dtype[] WEIGHTS = {Dtype.BF16, Dtype.F16, Dtype.F32, Dtype.F64};
  private static final Dtype[] SCALES = {Dtype.F32, Dtype.BF16, Dtype.F16, Dtype.F8_E8M0};

  enum Kind {
    PLAIN,
    TRANSPOSED,
    TILED,
    MICRO_SCALED
  }

  /** A weight on disk, its scales in another shard where it has any. */
  private record Sample(
      Path folder, Checkpoint checkpoint, WeightTensor weight, Stored stored, Stored scales)
      implements AutoCloseable {
    static Sample write(
        Path folder, Kind kind, Stored stored, Stored scales, int tileRows, int tileColumns)
        throws IOException {
      if (stored == scales) {
        LayoutSamples.write(folder, List.of(stored));
      } else {
        LayoutSamples.write(folder, List.of(stored), List.of(scales));
      }
      Checkpoint checkpoint = Checkpoint.open(folder);
      TensorInfo info = checkpoint.tensor(stored.name()).orElseThrow();
      TensorInfo scaleInfo = checkpoint.tensor(scales.name()).orElseThrow();
      WeightLayout layout =
          switch (kind) {
            case PLAIN -> new WeightLayout.Plain();
            case TRANSPOSED -> new WeightLayout.Transposed();
            case TILED -> LayoutSamples.tiled(info, scaleInfo, tileRows, tileColumns);
            case MICRO_SCALED -> LayoutSamples.microScaled(info, scaleInfo);
          };
      return new Sample(folder, checkpoint, new WeightTensor(info, layout), stored, scales);
    }

    void check(TensorReader reader, int firstRow, int firstColumn, int height, int width) {
      try (Arena arena = Arena.ofConfined()) {
        FloatMatrix target = FloatMatrix.allocate(arena, height, width);
        reader.readFloats(weight, firstRow, firstColumn, target);
        for (int row = 0; row < height; row++) {
          for (int column = 0; column < width; column++) {
            float expected =
                LayoutSamples.expected(
                    weight, stored, scales, firstRow + row, firstColumn + column);
            if (Float.floatToRawIntBits(target.get(row, column))
                != Float.floatToRawIntBits(expected)) {
              assertThat(target.get(row, column))
                  .as("row %d column %d", row, column)
                  .isEqualTo(expected);
            }
          }
        }
      }
    }

    void check(int firstRow, int firstColumn, int height, int width) {
      try (TensorReader reader = checkpoint.newReader()) {
        check(reader, firstRow, firstColumn, height, width);
      }
    }

    @Override
    public void close() throws IOException {
      checkpoint.close();
      LayoutSamples.delete(folder);
    }
  }

  private static Sample sample(
      Path folder, Kind kind, int experts, int rows, int columns, int[] tile, Random random)
      throws IOException {
    long out = rows;
    long in = columns;
    return switch (kind) {
      case PLAIN, TRANSPOSED -> {
        long first = kind == Kind.PLAIN ? out : in;
        long second = kind == Kind.PLAIN ? in : out;
        Stored stored =
            LayoutSamples.random(
                "w",
                WEIGHTS[random.nextInt(WEIGHTS.length)],
                experts == 0 ? List.of(first, second) : List.of((long) experts, first, second),
                random);
        yield Sample.write(folder, kind, stored, stored, 0, 0);
      }
      case TILED -> {
        Stored stored =
            LayoutSamples.random(
                "w",
                random.nextBoolean() ? Dtype.F8_E4M3 : Dtype.F8_E5M2,
                List.of(out, in),
                random);
        Stored scales =
            LayoutSamples.random(
                "s",
                SCALES[random.nextInt(SCALES.length)],
                List.of((out + tile[0] - 1) / tile[0], (in + tile[1] - 1) / tile[1]),
                random);
        yield Sample.write(folder, kind, stored, scales, tile[0], tile[1]);
      }
      case MICRO_SCALED -> {
        long stack = Math.max(1, experts);
        long blocks = (in + 31) / 32;
        Stored stored =
            LayoutSamples.random("w", Dtype.U8, List.of(stack, out, blocks, 16L), random);
        byte[] exponents =
            LayoutSamples.random("s", Dtype.F8_E8M0, List.of(stack, out, blocks), random).bytes();
        Stored scales = new Stored("s", Dtype.U8, List.of(stack, out, blocks), exponents);
        yield Sample.write(folder, kind, stored, scales, 0, 0);
      }
    };
  }

  @Property(tries = 600)
  void anyRectangle(
      @ForAll Kind kind,
      @ForAll @IntRange(max = 4) int experts,
      @ForAll @IntRange(min = 1, max = 70) int rows,
      @ForAll @IntRange(min = 1, max = 200) int columns,
      @ForAll @IntRange(min = 1, max = 80) int tileRows,
      @ForAll @IntRange(min = 1, max = 140) int tileColumns,
      @ForAll Random random)
      throws IOException {
    Path folder = Files.createTempDirectory("layouts");
    try (Sample sample =
            sample(
                folder, kind, experts, rows, columns, new int[] {tileRows, tileColumns}, random);
        TensorReader reader = sample.checkpoint().newReader()) {
      int all = sample.weight().allRows();
      int wide = sample.weight().columns();
      for (int i = 0; i < 3; i++) {
        int firstRow = random.nextInt(all);
        int firstColumn = random.nextInt(wide);
        sample.check(
            reader,
            firstRow,
            firstColumn,
            1 + random.nextInt(all - firstRow),
            1 + random.nextInt(wide - firstColumn));
      }
      sample.check(reader, 0, 0, all, wide);
    }
  }

  @ParameterizedTest(name = "{0} {1}x{2}x{3} by {4}x{5}: {6},{7} {8}x{9}")
  @CsvSource({
    "TRANSPOSED, 2, 9000, 70, 0, 0, 8990, 3, 100, 60", // narrow: one read for each stored row,
    // across experts
    "TRANSPOSED, 0, 9000, 130, 0, 0, 2, 0, 8998, 130", // more columns of the file than one stripe
    "TRANSPOSED, 0, 300, 4000, 0, 0, 0, 0, 300, 4000", // more rows of the file than one window
    "TRANSPOSED, 0, 40, 30000, 0, 0, 39, 29000, 1, 1000",
    "TILED, 0, 576, 300, 128, 128, 0, 0, 576, 300", // ragged in both directions
    "TILED, 0, 576, 300, 128, 128, 500, 250, 76, 50",
    "TILED, 0, 3, 1100000, 2, 128, 1, 5, 2, 1099990", // a row longer than the scratch
    "TILED, 0, 5, 40000, 2, 1, 0, 3, 5, 39990", // more scales in a row than there is room for
    "TILED, 0, 20000, 40, 1, 40, 1, 0, 19999, 40", // a scale for each row
    "TILED, 0, 300, 9000, 300, 9000, 100, 4090, 150, 4800", // a single scale
    "TILED, 0, 60, 40000, 7, 128, 3, 20001, 50, 333", // narrow: one read a row
    "MICRO_SCALED, 2, 2, 2200000, 0, 0, 1, 7, 2, 2199990",
    "MICRO_SCALED, 3, 90, 2880, 0, 0, 80, 33, 150, 2800",
    "MICRO_SCALED, 1, 50, 60000, 0, 0, 1, 31, 49, 2"
  })
  void everyWayOfReading(
      Kind kind,
      int experts,
      int rows,
      int columns,
      int tileRows,
      int tileColumns,
      int firstRow,
      int firstColumn,
      int height,
      int width)
      throws IOException {
    Path folder = Files.createTempDirectory("layouts");
    try (Sample sample =
        sample(
            folder,
            kind,
            experts,
            rows,
            columns,
            new int[] {tileRows, tileColumns},
            new Random(rows))) {
      sample.check(firstRow, firstColumn, height, width);
    }
  }

  @Test
  void everySmallFloatHasItsValue() throws IOException {
    byte[] codes = new byte[256];
    for (int i = 0; i < 256; i++) {
      codes[i] = (byte) i;
    }
    EightBitFloats table = new EightBitFloats();
    float[] found = new float[256];
    for (Dtype dtype : List.of(Dtype.F8_E4M3, Dtype.F8_E5M2, Dtype.F8_E8M0)) {
      table.values(dtype, codes, 256, found);
      Stored all = new Stored("w", dtype, List.of(256L), codes);
      for (int i = 0; i < 256; i++) {
        assertThat(Float.compare(found[i], (float) all.value(i)))
            .as("%s %d: %s", dtype, i, found[i])
            .isZero();
      }
    }
    table.values(Dtype.F8_E4M3, new byte[] {0x7E, 0x01, 0x38, (byte) 0xB8, (byte) 0x80}, 5, found);
    assertThat(Arrays.copyOf(found, 5)).containsExactly(448f, 0x1p-9f, 1f, -1f, -0f);
    table.values(Dtype.F8_E5M2, new byte[] {0x7B, 0x01, 0x3C, 0x7C}, 4, found);
    assertThat(Arrays.copyOf(found, 4))
        .containsExactly(57344f, 0x1p-16f, 1f, Float.POSITIVE_INFINITY);
  }

  @Test
  void nibblesAreReadLowFirst(@TempDir Path folder) throws IOException {
    byte[] blocks = new byte[32];
    for (int i = 0; i < 16; i++) {
      blocks[i] = (byte) (2 * i % 16 | (2 * i + 1) % 16 << 4);
    }
    blocks[16] = (byte) 0x7F;
    Stored stored = new Stored("w", Dtype.U8, List.of(1L, 1L, 2L, 16L), blocks);
    Stored scales = new Stored("s", Dtype.U8, List.of(1L, 1L, 2L), new byte[] {(byte) 128, 0});
    try (Sample sample =
            Sample.write(folder.resolve("m"), Kind.MICRO_SCALED, stored, scales, 0, 0);
        Arena arena = Arena.ofConfined()) {
      FloatMatrix target = FloatMatrix.allocate(arena, 1, 64);
      sample.checkpoint().readFloats(sample.weight(), 0, 0, target);
      float[] doubled = {0, 1, 2, 3, 4, 6, 8, 12, -0f, -1, -2, -3, -4, -6, -8, -12};
      for (int i = 0; i < 32; i++) {
        assertThat(target.get(0, i)).isEqualTo(doubled[i % 16]);
      }
      assertThat(target.get(0, 32)).isEqualTo(-6 * 0x1p-127f);
      assertThat(target.get(0, 33)).isEqualTo(6 * 0x1p-127f);
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void brokenWeightsAreNamed(Kind kind, @TempDir Path parent) throws IOException {
    Path folder = parent.resolve("c");
    List<Stored> made =
        switch (kind) {
          case PLAIN ->
              List.of(
                  LayoutSamples.random("w", Dtype.BF16, List.of(3L, 40L, 64L), new Random(1))
                      .with((2 * 40 + 7) * 64 + 33, 0x7FC0));
          case TRANSPOSED ->
              List.of(
                  LayoutSamples.random("w", Dtype.F16, List.of(3L, 64L, 40L), new Random(1))
                      .with((2 * 64 + 33) * 40 + 7, 0x7E00));
          case TILED ->
              List.of(
                  LayoutSamples.random("w", Dtype.F8_E4M3, List.of(120L, 64L), new Random(1))
                      .with(87 * 64 + 33, 0xFF),
                  LayoutSamples.random("s", Dtype.F32, List.of(6L, 4L), new Random(2)));
          case MICRO_SCALED -> {
            byte[] exponents = new byte[240];
            Arrays.fill(exponents, (byte) 120);
            yield List.of(
                LayoutSamples.random("w", Dtype.U8, List.of(3L, 40L, 2L, 16L), new Random(1))
                    .with((2 * 40 + 7) * 32 + 16, 0x71),
                new Stored("s", Dtype.U8, List.of(3L, 40L, 2L), exponents)
                    .with((2 * 40 + 7) * 2 + 1, 254));
          }
        };
    String where = kind == Kind.TILED ? "row 87, column 33" : "expert 2, row 7, column 33";
    try (Sample sample = Sample.write(folder, kind, made.getFirst(), made.getLast(), 20, 16);
        Arena arena = Arena.ofConfined()) {
      for (int[] area : new int[][] {{0, 0, 120, 64}, {85, 32, 10, 20}, {87, 33, 1, 1}}) {
        CheckpointException refused =
            catchThrowableOfType(
                CheckpointException.class,
                () ->
                    sample
                        .checkpoint()
                        .readFloats(
                            sample.weight(),
                            area[0],
                            area[1],
                            FloatMatrix.allocate(arena, area[2], area[3])));
        assertThat(refused)
            .hasMessageContaining(sample.weight().info().file())
            .hasMessageContaining("tensor \"w\": " + where + ": expected a finite weight, found")
            .hasMessageContaining(kind == Kind.MICRO_SCALED ? "infinity, or beyond" : "NaN");
      }
      sample.check(0, 0, 87, 64);
      sample.check(0, 0, 120, 33 - 1);
    }
  }

  @Test
  void brokenScalesAreNamed(@TempDir Path parent) throws IOException {
    Random random = new Random(1);
    Stored bytes = LayoutSamples.random("w", Dtype.F8_E5M2, List.of(100L, 70L), random);
    Stored tiles =
        LayoutSamples.random("s", Dtype.F32, List.of(5L, 3L), random)
            .with(3 * 3 + 1, Float.floatToIntBits(Float.NaN));
    broken(
        parent.resolve("tiled"),
        Kind.TILED,
        bytes,
        tiles,
        "tensor \"s\": row 3, column 1: expected a finite scale");
    Stored blocks = LayoutSamples.random("w", Dtype.U8, List.of(2L, 50L, 3L, 16L), random);
    Stored exponents =
        new Stored("s", Dtype.U8, List.of(2L, 50L, 3L), new byte[300]).with((50 + 20) * 3 + 2, 255);
    broken(
        parent.resolve("micro"),
        Kind.MICRO_SCALED,
        blocks,
        exponents,
        "tensor \"s\": expert 1, row 20, column 2: expected a finite scale, found NaN");
  }

  private static void broken(Path folder, Kind kind, Stored stored, Stored scales, String message)
      throws IOException {
    try (Sample sample = Sample.write(folder, kind, stored, scales, 20, 32);
        Arena arena = Arena.ofConfined()) {
      FloatMatrix all =
          FloatMatrix.allocate(arena, sample.weight().allRows(), sample.weight().columns());
      assertThatThrownBy(() -> sample.checkpoint().readFloats(sample.weight(), 0, 0, all))
          .isInstanceOf(CheckpointException.class)
          .hasMessageContaining("shard-1.safetensors")
          .hasMessageContaining(message);
      sample.check(0, 0, 60, sample.weight().columns());
      sample.check(0, 0, sample.weight().allRows(), 32);
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void filesThatWereCutMeanwhileAreNamed(Kind kind, @TempDir Path parent) throws IOException {
    try (Sample sample =
            sample(parent.resolve("c"), kind, 0, 120, 96, new int[] {10, 10}, new Random(1));
        Arena arena = Arena.ofConfined()) {
      TensorInfo cut = sample.weight().sources().getLast();
      try (RandomAccessFile file =
          new RandomAccessFile(sample.folder().resolve(cut.file()).toFile(), "rw")) {
        file.setLength(cut.position() + cut.bytes() / 2);
      }
      sample.check(0, 0, 1, 1);
      assertThatThrownBy(
              () ->
                  sample
                      .checkpoint()
                      .readFloats(sample.weight(), 0, 0, FloatMatrix.allocate(arena, 120, 96)))
          .isInstanceOf(CheckpointException.class)
          .hasMessageContaining(cut.file())
          .hasMessageContaining("tensor \"" + cut.name() + "\": the file ended at byte");
    }
  }

  @Test
  void rectanglesOutsideAreRefused(@TempDir Path parent) throws IOException {
    try (Sample sample =
            sample(parent.resolve("c"), Kind.TRANSPOSED, 3, 10, 20, new int[0], new Random(1));
        Arena arena = Arena.ofConfined()) {
      FloatMatrix two = FloatMatrix.allocate(arena, 2, 2);
      sample.check(28, 18, 2, 2);
      assertThatThrownBy(() -> sample.checkpoint().readFloats(sample.weight(), 29, 0, two))
          .isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> sample.checkpoint().readFloats(sample.weight(), 0, 19, two))
          .isInstanceOf(IndexOutOfBoundsException.class);
    }
  }
}

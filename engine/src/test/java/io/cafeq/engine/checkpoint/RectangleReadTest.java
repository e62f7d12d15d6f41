package io.cafeq.engine.checkpoint;

import static io.cafeq.engine.checkpoint.RawSafetensors.entry;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.memory.FloatMatrix;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import java.util.concurrent.atomic.AtomicReference;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Rectangles of weights against a reader that takes one element after the other. */
class RectangleReadTest {
  private static final String FILE = "model.safetensors";

  /** A file with a matrix "w" at an odd position, and its bytes. */
  private record Sample(Path folder, ByteBuffer data, Dtype dtype, int rows, int columns)
      implements AutoCloseable {
    static Sample make(Dtype dtype, int rows, int columns, long seed) throws IOException {
      Path folder = Files.createTempDirectory("rectangles");
      int size = rows * columns * dtype.bytes();
      byte[] bytes = new byte[size];
      new Random(seed).nextBytes(bytes);
      ByteBuffer data = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
      for (int i = 0; i < rows * columns; i++) {
        if (!Double.isFinite(value(data, dtype, i))) {
          put(data, dtype, i, i % 7 - 3.5);
        }
      }
      Sample sample = new Sample(folder, data, dtype, rows, columns);
      sample.write();
      return sample;
    }

    void write() throws IOException {
      int size = data.capacity();
      String header =
          "{"
              + entry("odd", "U8", "[3]", 0, 3)
              + ","
              + entry("w", dtype.name(), "[" + rows + "," + columns + "]", 3, 3L + size)
              + "}";
      header += " ".repeat(((header.length() & 1) == 0) ? 0 : 1);
      byte[] all = new byte[3 + size];
      data.get(0, all, 3, size);
      RawSafetensors.write(folder, FILE, header, all);
    }

    static double value(ByteBuffer data, Dtype dtype, int index) {
      return switch (dtype) {
        case BF16 -> Float.intBitsToFloat(data.getShort(index * 2) << 16);
        case F16 -> Float.float16ToFloat(data.getShort(index * 2));
        case F32 -> data.getFloat(index * 4);
        case F64 -> (float) data.getDouble(index * 8);
        case F8_E4M3, F8_E5M2, F8_E8M0, I64, I32, I16, I8, U64, U32, U16, U8, BOOL ->
            throw new IllegalArgumentException();
      };
    }

    static void put(ByteBuffer data, Dtype dtype, int index, double value) {
      switch (dtype) {
        case BF16 ->
            data.putShort(index * 2, (short) (Float.floatToRawIntBits((float) value) >>> 16));
        case F16 -> data.putShort(index * 2, Float.floatToFloat16((float) value));
        case F32 -> data.putFloat(index * 4, (float) value);
        case F64 -> data.putDouble(index * 8, value);
        case F8_E4M3, F8_E5M2, F8_E8M0, I64, I32, I16, I8, U64, U32, U16, U8, BOOL ->
            throw new IllegalArgumentException();
      }
    }

    void check(
        Checkpoint checkpoint,
        TensorInfo tensor,
        int firstRow,
        int firstColumn,
        int height,
        int width) {
      try (TensorReader reader = checkpoint.newReader()) {
        check(reader, tensor, firstRow, firstColumn, height, width);
      }
    }

    void check(
        TensorReader reader,
        TensorInfo tensor,
        int firstRow,
        int firstColumn,
        int height,
        int width) {
      try (Arena arena = Arena.ofConfined()) {
        FloatMatrix target = FloatMatrix.allocate(arena, height, width);
        reader.readFloats(tensor, firstRow, firstColumn, target);
        for (int row = 0; row < height; row++) {
          for (int column = 0; column < width; column++) {
            float expected =
                (float) value(data, dtype, (firstRow + row) * columns + firstColumn + column);
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

    @Override
    public void close() throws IOException {
      Files.deleteIfExists(folder.resolve(FILE));
      Files.delete(folder);
    }
  }

  @Property(tries = 300)
  void anyRectangle(
      @ForAll("weights") Dtype dtype,
      @ForAll @IntRange(min = 1, max = 40) int rows,
      @ForAll @IntRange(min = 1, max = 90) int columns,
      @ForAll Random random)
      throws IOException {
    try (Sample sample = Sample.make(dtype, rows, columns, random.nextLong());
        Checkpoint checkpoint = Checkpoint.open(sample.folder());
        TensorReader reader = checkpoint.newReader()) {
      TensorInfo tensor = checkpoint.tensor("w").orElseThrow();
      assertThat(tensor.position() % 2).isEqualTo(1);
      for (int i = 0; i < 3; i++) {
        int firstRow = random.nextInt(rows);
        int firstColumn = random.nextInt(columns);
        sample.check(
            reader,
            tensor,
            firstRow,
            firstColumn,
            1 + random.nextInt(rows - firstRow),
            1 + random.nextInt(columns - firstColumn));
      }
      sample.check(reader, tensor, 0, 0, rows, columns);
    }
  }

  @Provide
  Arbitrary<Dtype> weights() {
    return Arbitraries.of(Dtype.BF16, Dtype.F16, Dtype.F32, Dtype.F64);
  }

  @ParameterizedTest(name = "{0} {1}x{2}: {3},{4} {5}x{6}")
  @CsvSource({
    "F64, 3, 140000, 1, 0, 2, 140000", // a row longer than the scratch
    "F64, 3, 140000, 0, 7, 3, 139000",
    "BF16, 3, 1100000, 1, 1, 2, 1099998",
    "F32, 60, 9000, 2, 300, 58, 200", // narrow: one read a row
    "F32, 60, 9000, 3, 100, 57, 8000", // wide: several rows a read, more than one read
    "BF16, 300, 4097, 1, 0, 299, 4097", // whole rows, tiles that end inside rows
    "F16, 700, 1024, 0, 128, 700, 128"
  })
  void everyWayOfReading(
      Dtype dtype, int rows, int columns, int firstRow, int firstColumn, int height, int width)
      throws IOException {
    try (Sample sample = Sample.make(dtype, rows, columns, 1);
        Checkpoint checkpoint = Checkpoint.open(sample.folder());
        TensorReader reader = checkpoint.newReader()) {
      sample.check(
          reader, checkpoint.tensor("w").orElseThrow(), firstRow, firstColumn, height, width);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "BF16, NaN, NaN",
    "BF16, -Infinity, infinity",
    "F16, NaN, NaN",
    "F16, Infinity, infinity",
    "F32, NaN, NaN",
    "F32, Infinity, infinity",
    "F64, NaN, NaN",
    "F64, 1e39, beyond the range of floats"
  })
  void namesRowAndColumnOfABrokenWeight(Dtype dtype, double broken, String found)
      throws IOException {
    try (Sample sample = Sample.make(dtype, 50, 301, 3)) {
      Sample.put(sample.data(), dtype, 37 * 301 + 205, broken);
      sample.write();
      try (Checkpoint checkpoint = Checkpoint.open(sample.folder());
          Arena arena = Arena.ofConfined()) {
        TensorInfo tensor = checkpoint.tensor("w").orElseThrow();
        for (int[] area : new int[][] {{0, 0, 50, 301}, {20, 200, 30, 50}, {37, 205, 1, 1}}) {
          CheckpointException refused =
              catchThrowableOfType(
                  CheckpointException.class,
                  () ->
                      checkpoint.readFloats(
                          tensor, area[0], area[1], FloatMatrix.allocate(arena, area[2], area[3])));
          assertThat(refused)
              .hasMessageContaining(FILE)
              .hasMessageContaining("tensor \"w\": row 37, column 205")
              .hasMessageContaining(found);
        }
        sample.check(checkpoint, tensor, 0, 0, 37, 301);
      }
    }
  }

  @Test
  void refusesRectanglesOutsideAndTensorsThatAreNoWeights() throws IOException {
    try (Sample sample = Sample.make(Dtype.F32, 4, 5, 1);
        Checkpoint checkpoint = Checkpoint.open(sample.folder());
        Arena arena = Arena.ofConfined()) {
      TensorInfo tensor = checkpoint.tensor("w").orElseThrow();
      FloatMatrix two = FloatMatrix.allocate(arena, 2, 2);
      assertThatThrownBy(() -> checkpoint.readFloats(tensor, 3, 0, two))
          .isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> checkpoint.readFloats(tensor, 0, 4, two))
          .isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> checkpoint.read(tensor, 79, arena.allocate(2)))
          .isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(
              () -> checkpoint.readFloats(checkpoint.tensor("odd").orElseThrow(), 0, 0, two))
          .isInstanceOf(CheckpointException.class)
          .hasMessageContaining("tensor \"odd\": expected a matrix");
    }
  }

  @Test
  void namesTheTensorWhereTheFileWasCutMeanwhile() throws IOException {
    try (Sample sample = Sample.make(Dtype.F32, 40, 50, 1);
        Checkpoint checkpoint = Checkpoint.open(sample.folder());
        Arena arena = Arena.ofConfined()) {
      TensorInfo tensor = checkpoint.tensor("w").orElseThrow();
      try (RandomAccessFile file =
          new RandomAccessFile(sample.folder().resolve(FILE).toFile(), "rw")) {
        file.setLength(tensor.position() + 4000);
      }
      sample.check(checkpoint, tensor, 0, 0, 20, 50);
      assertThatThrownBy(
              () -> checkpoint.readFloats(tensor, 0, 0, FloatMatrix.allocate(arena, 40, 50)))
          .isInstanceOf(CheckpointException.class)
          .hasMessageContaining(FILE)
          .hasMessageContaining(
              "tensor \"w\": the file ended at byte " + (tensor.position() + 4000));
    }
  }

  @Test
  void readsOnFromAFileThatWasReplaced() throws IOException {
    try (Sample sample = Sample.make(Dtype.F32, 4, 5, 1);
        Checkpoint checkpoint = Checkpoint.open(sample.folder())) {
      Files.delete(sample.folder().resolve(FILE));
      sample.check(checkpoint, checkpoint.tensor("w").orElseThrow(), 0, 0, 4, 5);
    }
  }

  @Test
  void anInterruptedReaderDisturbsNoOther() throws IOException, InterruptedException {
    try (Sample sample = Sample.make(Dtype.F32, 4, 5, 1);
        Checkpoint checkpoint = Checkpoint.open(sample.folder())) {
      TensorInfo tensor = checkpoint.tensor("w").orElseThrow();
      AtomicReference<EngineException> failure = new AtomicReference<>();
      Thread thread =
          new Thread(
              () -> {
                Thread.currentThread().interrupt();
                failure.set(
                    catchThrowableOfType(
                        EngineException.class, () -> sample.check(checkpoint, tensor, 0, 0, 4, 5)));
              });
      thread.start();
      thread.join();
      assertThat(failure.get())
          .isInstanceOfSatisfying(
              EngineException.class, e -> assertThat(e.kind()).isEqualTo(FailureKind.STOPPED));
      sample.check(checkpoint, tensor, 0, 0, 4, 5);
    }
  }

  @Test
  void aClosedCheckpointReadsNoMore() throws IOException {
    try (Sample sample = Sample.make(Dtype.F32, 4, 5, 1)) {
      Checkpoint checkpoint = Checkpoint.open(sample.folder());
      TensorInfo tensor = checkpoint.tensor("w").orElseThrow();
      checkpoint.close();
      assertThatThrownBy(() -> sample.check(checkpoint, tensor, 0, 0, 4, 5))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("was closed");
    }
  }
}

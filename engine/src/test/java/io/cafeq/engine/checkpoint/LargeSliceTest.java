package io.cafeq.engine.checkpoint;

import static io.cafeq.engine.checkpoint.RawSafetensors.entry;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cafeq.engine.memory.FloatMatrix;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tensors beyond 2 GiB, in files with holes that take no room on disk. */
@Tag("slow")
class LargeSliceTest {
  private static final int COLUMNS = 16_384;
  private static final int ROWS = 200_000;
  private static final long BYTES = 2L * ROWS * COLUMNS;
  private static final long NEEDED_KILOBYTES = 6 << 20;

  @TempDir private Path folder;
  private Path file;

  @BeforeEach
  void writeHoles() throws IOException {
    String header = "{" + entry("w", "BF16", "[" + ROWS + "," + COLUMNS + "]", 0, BYTES) + "}";
    file = RawSafetensors.write(folder, header, 0);
    long start = Files.size(file);
    try (RandomAccessFile writer = new RandomAccessFile(file.toFile(), "rw")) {
      writer.setLength(start + BYTES);
      one(writer, start, 3, 5);
      one(writer, start, 70_000, 1);
      one(writer, start, ROWS - 1, COLUMNS - 1);
    }
  }

  private static void one(RandomAccessFile writer, long start, long row, long column)
      throws IOException {
    writer.seek(start + 2 * (row * COLUMNS + column));
    writer.write(new byte[] {(byte) 0x80, 0x3F});
  }

  @Test
  void readsRowsBeyondTwoGibibytes() {
    assertThat(BYTES).isGreaterThan(6L << 30);
    try (Checkpoint checkpoint = Checkpoint.open(folder);
        Arena arena = Arena.ofConfined()) {
      TensorInfo tensor = checkpoint.tensors().getFirst();
      FloatMatrix rows = FloatMatrix.allocate(arena, 2, COLUMNS);
      checkpoint.readFloats(tensor, ROWS - 2, 0, rows);
      assertThat(rows.get(1, COLUMNS - 1)).isEqualTo(1f);
      assertThat(rows.get(0, COLUMNS - 1)).isZero();
      FloatMatrix column = FloatMatrix.allocate(arena, 5, 1);
      checkpoint.readFloats(tensor, 69_998, 1, column);
      assertThat(column.get(2, 0)).isEqualTo(1f);
      assertThat(column.get(1, 0)).isZero();
    }
  }

  @Test
  void readsASliceOfMoreThanTwoGibibytes() throws IOException {
    assumeTrue(
        availableKilobytes() > NEEDED_KILOBYTES,
        "too little free memory here for a slice of 2.3 GB");
    long first = 2L * 3 * COLUMNS;
    long count = 2L * 70_001 * COLUMNS - first;
    assertThat(count).isGreaterThan(1L << 31);
    Path scratch = Files.createFile(folder.resolve("scratch"));
    try (RandomAccessFile writer = new RandomAccessFile(scratch.toFile(), "rw")) {
      writer.setLength(count);
    }
    // A private map is memory of this process that does not count against its limit on direct
    // memory.
    try (Checkpoint checkpoint = Checkpoint.open(folder);
        FileChannel channel =
            FileChannel.open(scratch, StandardOpenOption.READ, StandardOpenOption.WRITE);
        Arena arena = Arena.ofConfined()) {
      MemorySegment slice = channel.map(FileChannel.MapMode.PRIVATE, 0, count, arena);
      checkpoint.read(checkpoint.tensors().getFirst(), first, slice);
      assertThat(slice.get(ValueLayout.JAVA_SHORT_UNALIGNED, 10)).isEqualTo((short) 0x3F80);
      assertThat(slice.get(ValueLayout.JAVA_SHORT_UNALIGNED, 2L * 69_997 * COLUMNS + 2))
          .isEqualTo((short) 0x3F80);
      assertThat(slice.get(ValueLayout.JAVA_SHORT_UNALIGNED, 2L * 69_997 * COLUMNS)).isZero();
    }
  }

  private static long availableKilobytes() throws IOException {
    Path memory = Path.of("/proc/meminfo");
    if (!Files.exists(memory)) {
      return 0;
    }
    return Files.readAllLines(memory).stream()
        .filter(line -> line.startsWith("MemAvailable:"))
        .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
        .findFirst()
        .orElse(0);
  }
}

package io.cafeq.engine.export.safetensors;

import io.cafeq.engine.block.TensorHeader;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.SafetensorsWriter.Entry;
import io.cafeq.engine.grid.EncodedSlab;
import io.cafeq.engine.grid.GridSpec;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;

/** Parts whose rows are output channels, as compressed-tensors and MLX store them. */
final class RowParts {
  private static final ValueLayout.OfInt INTS =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONGS =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private RowParts() {}

  /**
   * Codes: a bit stream a row, least significant bit first, padded with zeros to whole words of 32
   * bits. That is how a result stores them, but for the padding.
   */
  static PackedPart codes(String name, Dtype dtype, TensorHeader header, GridSpec grid) {
    int columns = header.columns();
    long words = Math.ceilDiv((long) columns * grid.bits(), Integer.SIZE);
    long stored = EncodedSlab.codeBytes(grid, columns);
    Entry entry = new Entry(name, dtype, List.of((long) header.allRows(), words));
    return new PackedPart(
        entry,
        (result, source, stop, bytes) -> {
          try (Arena arena = Arena.ofConfined()) {
            MemorySegment row = arena.allocate(words * Integer.BYTES, 64);
            result.forEachStored(
                source,
                0,
                header.allRows(),
                (first, coding, slab) -> {
                  stop.check();
                  for (int i = 0; i < slab.rows(); i++) {
                    MemorySegment.copy(slab.codes(), i * stored, row, 0, stored);
                    bytes.accept(row);
                  }
                });
          }
        });
  }

  /** Which number of a group's grid. */
  enum Number {
    SCALE,
    /** The minimum of a grid that has one. */
    MINIMUM
  }

  /** One number for each group of each row, in a type that holds it exactly. */
  static PackedPart numbers(
      String name, Dtype dtype, TensorHeader header, GridSpec grid, Number number) {
    int groups = grid.groups(header.columns());
    Entry entry = new Entry(name, dtype, List.of((long) header.allRows(), (long) groups));
    return new PackedPart(
        entry,
        (result, source, stop, bytes) -> {
          float[] scales = new float[groups];
          float[] zeros = new float[groups];
          try (Arena arena = Arena.ofConfined()) {
            MemorySegment row = arena.allocate((long) groups * dtype.bytes(), 64);
            StoredRows.forEach(
                result,
                source,
                stop,
                (at, values, within) -> {
                  values.readGrid(within, scales, zeros);
                  ExactNumbers.put(
                      source, number == Number.SCALE ? scales : zeros, groups, dtype, row, 0);
                  bytes.accept(row);
                });
          }
        });
  }

  /**
   * Zero points, packed along the rows: word (w, g) has the bits of group g's zero points that
   * begin at bit 32 w of the stream of all rows.
   */
  static PackedPart zeroPoints(String name, TensorHeader header, GridSpec grid) {
    int groups = grid.groups(header.columns());
    int rows = Math.toIntExact(header.allRows());
    int words = Math.ceilDiv(Math.multiplyExact(rows, grid.bits()), Integer.SIZE);
    Entry entry = new Entry(name, Dtype.I32, List.of((long) words, (long) groups));
    return new PackedPart(
        entry,
        (result, source, stop, bytes) -> {
          float[] scales = new float[groups];
          float[] zeros = new float[groups];
          try (Arena arena = Arena.ofConfined()) {
            MemorySegment packed = arena.allocate((long) words * groups * Integer.BYTES, 64);
            StoredRows.forEach(
                result,
                source,
                stop,
                (at, values, within) -> {
                  values.readGrid(within, scales, zeros);
                  for (int g = 0; g < groups; g++) {
                    put(packed, at * grid.bits(), groups, g, (int) zeros[g], grid.bits());
                  }
                });
            bytes.accept(packed);
          }
        });
  }

  private static void put(
      MemorySegment packed, long bit, int stride, int column, int code, int bits) {
    for (int b = 0; b < bits; b++) {
      long index = (bit + b) / Integer.SIZE * stride + column;
      int mask = (code >>> b & 1) << (int) ((bit + b) % Integer.SIZE);
      packed.setAtIndex(INTS, index, packed.getAtIndex(INTS, index) | mask);
    }
  }

  /** The matrix's own shape, which packed codes do not tell. */
  static PackedPart shape(String name, TensorHeader header) {
    return new PackedPart(
        new Entry(name, Dtype.I64, List.of(2L)),
        (result, source, stop, bytes) -> {
          try (Arena arena = Arena.ofConfined()) {
            MemorySegment shape = arena.allocate(2L * Long.BYTES, 64);
            shape.setAtIndex(LONGS, 0, header.allRows());
            shape.setAtIndex(LONGS, 1, header.columns());
            bytes.accept(shape);
          }
        });
  }
}

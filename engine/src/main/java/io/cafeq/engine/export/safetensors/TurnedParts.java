package io.cafeq.engine.export.safetensors;

import io.cafeq.engine.block.TensorHeader;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.SafetensorsWriter.Entry;
import io.cafeq.engine.grid.GridSpec;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;

/**
 * Parts whose columns are output channels, as GPTQ stores them. The matrix is read several times,
 * so many input channels at a time that what is turned fits into some MB.
 */
final class TurnedParts {
  private static final ValueLayout.OfInt INTS =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final long ROOM = 16L << 20;

  private TurnedParts() {}

  /** Codes of 4 or 8 bits: word (w, o) has the codes of input channels 32 / bits * w and on. */
  static PackedPart codes(String name, TensorHeader header, GridSpec grid) {
    int rows = Math.toIntExact(header.allRows());
    int perWord = Integer.SIZE / grid.bits();
    int words = header.columns() / perWord;
    Entry entry = new Entry(name, Dtype.I32, List.of((long) words, (long) rows));
    int most = (int) Math.clamp(ROOM / ((long) rows * Integer.BYTES), 1, words);
    return new PackedPart(
        entry,
        (result, source, stop, bytes) -> {
          byte[] codes = new byte[most * perWord];
          try (Arena arena = Arena.ofConfined()) {
            MemorySegment turned = arena.allocate((long) most * rows * Integer.BYTES, 64);
            for (int first = 0; first < words; first += most) {
              int count = Math.min(most, words - first);
              int from = first;
              StoredRows.forEach(
                  result,
                  source,
                  stop,
                  (row, values, within) -> {
                    values.readCodes(within, from * perWord, count * perWord, codes);
                    for (int w = 0; w < count; w++) {
                      int word = 0;
                      for (int i = 0; i < perWord; i++) {
                        word |= (codes[w * perWord + i] & 0xFF) << i * grid.bits();
                      }
                      turned.setAtIndex(INTS, (long) w * rows + row, word);
                    }
                  });
              bytes.accept(turned.asSlice(0, (long) count * rows * Integer.BYTES));
            }
          }
        });
  }

  /** One f16 scale for each group and output channel. */
  static PackedPart scales(String name, TensorHeader header, GridSpec grid) {
    int rows = Math.toIntExact(header.allRows());
    int groups = grid.groups(header.columns());
    Entry entry = new Entry(name, Dtype.F16, List.of((long) groups, (long) rows));
    return new PackedPart(
        entry,
        (result, source, stop, bytes) -> {
          float[] scales = new float[groups];
          float[] zeros = new float[groups];
          try (Arena arena = Arena.ofConfined()) {
            MemorySegment turned = arena.allocate((long) groups * rows * Short.BYTES, 64);
            StoredRows.forEach(
                result,
                source,
                stop,
                (row, values, within) -> {
                  values.readGrid(within, scales, zeros);
                  for (int g = 0; g < groups; g++) {
                    ExactNumbers.put(source, scales[g], Dtype.F16, turned, (long) g * rows + row);
                  }
                });
            bytes.accept(turned);
          }
        });
  }

  /**
   * The same word everywhere: the zero points of a signed grid are all 2^(bits - 1), stored less 1.
   */
  static PackedPart zeroPoints(String name, TensorHeader header, GridSpec grid) {
    long words = header.allRows() * grid.bits() / Integer.SIZE;
    int groups = grid.groups(header.columns());
    int word = 0;
    for (int at = 0; at < Integer.SIZE; at += grid.bits()) {
      word |= grid.middle() - 1 << at;
    }
    int each = word;
    return new PackedPart(
        new Entry(name, Dtype.I32, List.of((long) groups, words)),
        (result, source, stop, bytes) -> {
          try (Arena arena = Arena.ofConfined()) {
            MemorySegment row = arena.allocate(words * Integer.BYTES, 64);
            for (long w = 0; w < words; w++) {
              row.setAtIndex(INTS, w, each);
            }
            for (int g = 0; g < groups; g++) {
              bytes.accept(row);
            }
          }
        });
  }

  /** Which group each input channel belongs to. */
  static PackedPart groupIndex(String name, TensorHeader header, GridSpec grid) {
    int columns = header.columns();
    int size = grid.groupSize(columns);
    return new PackedPart(
        new Entry(name, Dtype.I32, List.of((long) columns)),
        (result, source, stop, bytes) -> {
          try (Arena arena = Arena.ofConfined()) {
            MemorySegment index = arena.allocate((long) columns * Integer.BYTES, 64);
            for (int c = 0; c < columns; c++) {
              index.setAtIndex(INTS, c, c / size);
            }
            bytes.accept(index);
          }
        });
  }
}

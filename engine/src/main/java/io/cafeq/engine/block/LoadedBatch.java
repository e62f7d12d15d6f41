package io.cafeq.engine.block;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.EnumMap;
import org.jspecify.annotations.Nullable;

/** The body of one record batch at a time, in memory that is taken once, at the first use. */
final class LoadedBatch {
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final ArrowFile file;
  private final Arena arena;
  private final long capacity;
  private @Nullable MemorySegment memory;
  private @Nullable BatchLayout loaded;

  /** {@code capacity} is the largest body that will be asked for; {@code arena} owns the memory. */
  LoadedBatch(ArrowFile file, Arena arena, long capacity) {
    this.file = file;
    this.arena = arena;
    this.capacity = capacity;
  }

  /** The same for a row without exponents. */
  Row row(BatchLayout layout, RowIndex.Entry entry) {
    return row(layout, entry, MemorySegment.NULL);
  }

  /**
   * The row with views of its payload, valid until a row of another batch is asked for. Its
   * checksum is known to be right.
   *
   * @param exponents of a slab, which its checksum is of as well
   */
  Row row(BatchLayout layout, RowIndex.Entry entry, MemorySegment exponents) {
    MemorySegment body = body(layout);
    Row row = new Row(entry.kind(), entry.name(), entry.fixed(), new EnumMap<>(Column.class));
    try {
      for (Column column : Column.all()) {
        if (!column.isFixed() && !layout.isNull(column)) {
          row.with(column, payload(layout, body, column, entry.place()));
        }
      }
    } catch (IndexOutOfBoundsException | IllegalArgumentException e) {
      throw file.damage()
          .of(entry.name(), entry.number(), "offsets of its columns lie outside their values");
    }
    if (row.checksum(exponents) != (entry.get(Column.CRC32C) & 0xFFFFFFFFL)) {
      throw file.damage().of(entry.name(), entry.number(), "its checksum does not match");
    }
    return row;
  }

  /** Whether the rows of that batch are the ones in memory. */
  boolean holds(BatchLayout layout) {
    return loaded == layout;
  }

  /** Where a payload that {@link #row} gave is in the file. */
  long position(BatchLayout layout, MemorySegment payload) {
    return layout.body() + payload.address() - body(layout).address();
  }

  private MemorySegment body(BatchLayout layout) {
    if (memory == null) {
      memory = arena.allocate(capacity, 64);
    }
    MemorySegment body = memory.asSlice(0, layout.bodyLength());
    if (loaded != layout) {
      loaded = null;
      file.read(layout.body(), body);
      loaded = layout;
    }
    return body;
  }

  private static MemorySegment payload(
      BatchLayout layout, MemorySegment body, Column column, int place) {
    MemorySegment offsets = layout.offsets(body, column);
    boolean halves = column.form == Column.Form.HALVES;
    long begin = halves ? 2L * offsets.get(INT, 4L * place) : offsets.get(LONG, 8L * place);
    long end = halves ? 2L * offsets.get(INT, 4L * place + 4) : offsets.get(LONG, 8L * place + 8);
    return layout.values(body, column).asSlice(begin, end - begin);
  }
}

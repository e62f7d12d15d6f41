package io.cafeq.engine.block;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.EnumMap;
import java.util.Map;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * One row on its way into or out of a file, column by column.
 *
 * @param name what the {@code tensor} column stands for
 * @param fixed values of the fixed-width columns by ordinal; float64 by its bits; 0 in columns that
 *     the kind does not fill
 * @param payload borrowed; columns that are not null
 */
record Row(Column.Kind kind, String name, long[] fixed, Map<Column, MemorySegment> payload) {
  private static final int FIXED = Column.CRC32C.ordinal() + 1;
  private static final int PIECE = 1 << 30;

  /** A row without values yet. */
  static Row of(Column.Kind kind, String name, int nameIndex) {
    Row row = new Row(kind, name, new long[FIXED], new EnumMap<>(Column.class));
    return row.with(Column.KIND, StoredNumbers.of(kind)).with(Column.TENSOR, nameIndex);
  }

  Row with(Column column, long value) {
    fixed[column.ordinal()] = value;
    return this;
  }

  Row with(Column column, MemorySegment bytes) {
    payload.put(column, bytes);
    return this;
  }

  long get(Column column) {
    return fixed[column.ordinal()];
  }

  double getDouble(Column column) {
    return Double.longBitsToDouble(get(column));
  }

  @Nullable MemorySegment bytes(Column column) {
    return payload.get(column);
  }

  /** Bytes of all payload columns. */
  long payloadBytes() {
    return payload.values().stream().mapToLong(MemorySegment::byteSize).sum();
  }

  /**
   * CRC-32C of the name in UTF-8, then of the filled fixed-width columns in the schema's order
   * except {@code tensor} and {@code crc32c}, each as 8 little-endian bytes, then of the payload
   * columns that are not null in the schema's order, then of {@code exponents}, which a slab may
   * have in a row of their own.
   */
  long checksum(MemorySegment exponents) {
    CRC32C crc = new CRC32C();
    crc.update(name.getBytes(StandardCharsets.UTF_8));
    ByteBuffer value = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
    for (Column column : Column.all()) {
      if (column.isFixed()
          && kind.fills(column)
          && column != Column.TENSOR
          && column != Column.CRC32C) {
        crc.update(value.putLong(0, get(column)).array());
      }
    }
    for (Column column : Column.all()) {
      MemorySegment bytes = payload.get(column);
      if (bytes != null) {
        update(crc, bytes);
      }
    }
    update(crc, exponents);
    return crc.getValue();
  }

  private static void update(CRC32C crc, MemorySegment bytes) {
    for (long at = 0; at < bytes.byteSize(); at += PIECE) {
      crc.update(bytes.asSlice(at, Math.min(PIECE, bytes.byteSize() - at)).asByteBuffer());
    }
  }
}

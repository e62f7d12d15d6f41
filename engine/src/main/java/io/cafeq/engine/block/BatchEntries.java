package io.cafeq.engine.block;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;

/** Reads the fixed-width columns of record batches into index entries; payloads stay on disk. */
record BatchEntries(ArrowFile file, List<String> names) {
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final int MAX_K = 1 << 15;

  /** Appends the rows of batch {@code number}. */
  void addTo(List<RowIndex.Entry> entries, int number, BatchLayout layout) {
    MemorySegment head = MemorySegment.ofArray(new byte[Math.toIntExact(layout.fixedBytes())]);
    file.read(layout.body(), head);
    for (int i = 0; i < layout.rows(); i++) {
      entries.add(entry(entries.size(), number, i, layout, head));
    }
  }

  private RowIndex.Entry entry(
      int row, int batch, int place, BatchLayout layout, MemorySegment head) {
    long kindValue = value(layout, head, Column.KIND, place);
    long nameIndex = value(layout, head, Column.TENSOR, place);
    Column.Kind kind = StoredNumbers.kind(kindValue);
    if (kind == null || nameIndex < 0 || nameIndex >= names.size()) {
      throw file.damage()
          .of("row " + row + " has kind " + kindValue + " and name number " + nameIndex);
    }
    String name = names.get((int) nameIndex);
    if (kind != Column.Kind.TRANSFORM && layout.rows() > 1) {
      throw file.damage().of(name, row, "shares its record batch with others");
    }
    Row found = Row.of(kind, name, (int) nameIndex);
    for (Column column : Column.all()) {
      if (column.isFixed() && kind.fills(column)) {
        if (layout.isNull(column)) {
          throw file.damage().of(name, row, column.text() + " is missing");
        }
        found.with(column, value(layout, head, column, place));
      }
    }
    long bytes = kind == Column.Kind.RAW ? layout.valueBytes(Column.RAW) : 0;
    RowIndex.Entry entry = new RowIndex.Entry(row, batch, place, kind, name, found.fixed(), bytes);
    if (kind == Column.Kind.TRANSFORM) {
      checkTransform(entry);
    }
    return entry;
  }

  private void checkTransform(RowIndex.Entry entry) {
    long side = entry.get(Column.SIDE);
    long format = entry.get(Column.FORMAT);
    long k = entry.get(Column.K);
    if (StoredNumbers.side(side) == null
        || k < 1
        || k > MAX_K
        || StoredNumbers.format(format) == null) {
      throw file.damage()
          .of(entry.name(), entry.number(), "side " + side + ", k " + k + ", format " + format);
    }
  }

  private static long value(BatchLayout layout, MemorySegment head, Column column, int place) {
    MemorySegment values = layout.values(head, column);
    return switch (column.form.width) {
      case 1 -> values.get(ValueLayout.JAVA_BYTE, place);
      case 4 -> values.get(INT, 4L * place);
      default -> values.get(LONG, 8L * place);
    };
  }
}

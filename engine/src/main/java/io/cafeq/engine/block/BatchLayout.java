package io.cafeq.engine.block;

import java.lang.foreign.MemorySegment;
import org.apache.arrow.flatbuf.Buffer;
import org.apache.arrow.flatbuf.FieldNode;
import org.apache.arrow.flatbuf.RecordBatch;

/**
 * Where the known columns of a record batch are in its body, each range known to be inside it.
 * Columns of a newer minor version follow the known ones and are not looked at.
 *
 * @param body absolute position of the body in the file
 * @param nulls null count by column ordinal
 * @param offsets begin in the body by buffer number
 * @param lengths bytes by buffer number
 */
record BatchLayout(
    int rows, long body, long bodyLength, long[] nulls, long[] offsets, long[] lengths) {
  private static final int MAX_ROWS = 1 << 20;

  static BatchLayout of(Damage damage, RecordBatch batch, long body, long bodyLength) {
    int nodes = Column.all().stream().mapToInt(Column::nodes).sum();
    int buffers = Column.all().stream().mapToInt(Column::buffers).sum();
    if (batch.compression() != null
        || batch.length() < 1
        || batch.length() > MAX_ROWS
        || batch.nodesLength() < nodes
        || batch.buffersLength() < buffers) {
      throw damage.of(
          "a record batch at byte "
              + body
              + " has "
              + batch.length()
              + " rows, "
              + batch.nodesLength()
              + " fields and "
              + batch.buffersLength()
              + " buffers, or is compressed");
    }
    int rows = (int) batch.length();
    BatchLayout layout =
        new BatchLayout(
            rows,
            body,
            bodyLength,
            new long[Column.all().size()],
            new long[buffers],
            new long[buffers]);
    layout.readNodes(damage, batch);
    for (int i = 0; i < buffers; i++) {
      Buffer buffer = batch.buffers(i);
      layout.offsets[i] = buffer.offset();
      layout.lengths[i] = buffer.length();
      if (buffer.offset() < 0
          || buffer.length() < 0
          || buffer.length() > bodyLength
          || buffer.offset() > bodyLength - buffer.length()) {
        throw damage.of(
            "buffer " + i + " of the record batch at byte " + body + " lies outside its body");
      }
    }
    layout.checkWidths(damage);
    return layout;
  }

  /** Bytes of the body from its start that hold all fixed-width columns. */
  long fixedBytes() {
    long end = 0;
    for (Column column : Column.all()) {
      if (column.isFixed()) {
        end = Math.max(end, offsets[values(column)] + lengths[values(column)]);
      }
    }
    return end;
  }

  boolean isNull(Column column) {
    return nulls[column.ordinal()] > 0;
  }

  /** The column's last buffer: its values. */
  MemorySegment values(MemorySegment body, Column column) {
    int buffer = values(column);
    return body.asSlice(offsets[buffer], lengths[buffer]);
  }

  /** Bytes of the column's values over all rows. */
  long valueBytes(Column column) {
    return lengths[values(column)];
  }

  /** The offsets of a column without fixed width, which follow its validity. */
  MemorySegment offsets(MemorySegment body, Column column) {
    int buffer = first(column) + 1;
    return body.asSlice(offsets[buffer], lengths[buffer]);
  }

  private void readNodes(Damage damage, RecordBatch batch) {
    int node = 0;
    for (Column column : Column.all()) {
      FieldNode field = batch.nodes(node);
      if (field.length() != rows || (field.nullCount() != 0 && field.nullCount() != rows)) {
        throw damage.of(
            "column "
                + column.text()
                + " of the record batch at byte "
                + body
                + " has "
                + field.nullCount()
                + " nulls in "
                + field.length()
                + " rows");
      }
      nulls[column.ordinal()] = field.nullCount();
      node += column.nodes();
    }
  }

  private void checkWidths(Damage damage) {
    for (Column column : Column.all()) {
      long needed =
          switch (column.form) {
            case INT8, INT32, INT64, UINT32, FLOAT64, NAME -> (long) column.form.width * rows;
            case BINARY -> 8L * (rows + 1);
            case HALVES -> 4L * (rows + 1);
          };
      long found = column.isFixed() ? lengths[values(column)] : lengths[first(column) + 1];
      if (found < needed && !isNull(column)) {
        throw damage.of(
            "column " + column.text() + " of the record batch at byte " + body + " is too short");
      }
    }
  }

  private static int values(Column column) {
    return first(column) + column.buffers() - 1;
  }

  private static int first(Column column) {
    int first = 0;
    for (int i = 0; i < column.ordinal(); i++) {
      first += Column.all().get(i).buffers();
    }
    return first;
  }
}

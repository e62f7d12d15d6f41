package io.cafeq.engine.block;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.arrow.memory.ArrowBuf;
import org.apache.arrow.memory.ReferenceManager;
import org.apache.arrow.vector.ipc.message.ArrowDictionaryBatch;
import org.apache.arrow.vector.ipc.message.ArrowFieldNode;
import org.apache.arrow.vector.ipc.message.ArrowRecordBatch;

/**
 * Lays rows of one kind out as an Arrow record batch. Payloads of a single row are not copied:
 * Arrow's buffers are views of the caller's native memory, which must live until the batch is
 * written.
 */
final class RowBatch {
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final Arena arena;
  private final List<Row> rows;
  private final List<ArrowFieldNode> nodes = new ArrayList<>();
  private final List<ArrowBuf> buffers = new ArrayList<>();

  private RowBatch(Arena arena, List<Row> rows) {
    this.arena = arena;
    this.rows = rows;
  }

  /**
   * The batch lives as long as {@code arena} and the rows' payloads do. All rows fill the same
   * columns.
   */
  static ArrowRecordBatch of(Arena arena, List<Row> rows) {
    RowBatch batch = new RowBatch(arena, rows);
    for (Column column : Column.all()) {
      switch (column.form) {
        case INT8, INT32, INT64, UINT32, FLOAT64, NAME -> batch.addFixed(column);
        case BINARY -> batch.addBinary(column);
        case HALVES -> batch.addHalves(column);
      }
    }
    return new ArrowRecordBatch(rows.size(), batch.nodes, batch.buffers);
  }

  /** The dictionary of names. */
  static ArrowDictionaryBatch names(Arena arena, List<String> names) {
    MemorySegment offsets = arena.allocate(4L * (names.size() + 1), 8);
    List<byte[]> encoded =
        names.stream().map(name -> name.getBytes(StandardCharsets.UTF_8)).toList();
    MemorySegment text = arena.allocate(encoded.stream().mapToLong(bytes -> bytes.length).sum(), 8);
    int at = 0;
    for (int i = 0; i < encoded.size(); i++) {
      MemorySegment.copy(encoded.get(i), 0, text, ValueLayout.JAVA_BYTE, at, encoded.get(i).length);
      at += encoded.get(i).length;
      offsets.set(INT, 4L * (i + 1), at);
    }
    List<ArrowBuf> buffers = List.of(view(MemorySegment.NULL), view(offsets), view(text));
    ArrowFieldNode node = new ArrowFieldNode(names.size(), 0);
    return new ArrowDictionaryBatch(
        Column.NAMES_DICTIONARY, new ArrowRecordBatch(names.size(), List.of(node), buffers), false);
  }

  private void addFixed(Column column) {
    boolean filled = rows.getFirst().kind().fills(column);
    addNode(filled);
    int width = column.form.width;
    MemorySegment values = arena.allocate((long) width * rows.size(), 8);
    for (int i = 0; filled && i < rows.size(); i++) {
      long value = rows.get(i).get(column);
      switch (width) {
        case 1 -> values.set(ValueLayout.JAVA_BYTE, i, (byte) value);
        case 4 -> values.set(INT, 4L * i, (int) value);
        default -> values.set(LONG, 8L * i, value);
      }
    }
    buffers.add(view(values));
  }

  private void addBinary(Column column) {
    boolean filled = isPresent(column);
    addNode(filled);
    MemorySegment offsets = arena.allocate(8L * (rows.size() + 1), 8);
    for (int i = 0; filled && i < rows.size(); i++) {
      offsets.set(LONG, 8L * (i + 1), offsets.get(LONG, 8L * i) + payload(i, column).byteSize());
    }
    buffers.add(view(offsets));
    buffers.add(view(filled ? together(column) : MemorySegment.NULL));
  }

  private void addHalves(Column column) {
    boolean filled = isPresent(column);
    addNode(filled);
    MemorySegment offsets = arena.allocate(4L * (rows.size() + 1), 8);
    for (int i = 0; filled && i < rows.size(); i++) {
      offsets.set(
          INT,
          4L * (i + 1),
          offsets.get(INT, 4L * i) + Math.toIntExact(payload(i, column).byteSize() / 2));
    }
    MemorySegment values = filled ? together(column) : MemorySegment.NULL;
    buffers.add(view(offsets));
    nodes.add(new ArrowFieldNode(values.byteSize() / 2, 0));
    buffers.add(view(MemorySegment.NULL));
    buffers.add(view(values));
  }

  /** A column without nulls needs no validity buffer; one of nulls only has a buffer of zeros. */
  private void addNode(boolean filled) {
    nodes.add(new ArrowFieldNode(rows.size(), filled ? 0 : rows.size()));
    buffers.add(view(filled ? MemorySegment.NULL : arena.allocate((rows.size() + 7) / 8, 8)));
  }

  private boolean isPresent(Column column) {
    return rows.getFirst().bytes(column) != null;
  }

  private MemorySegment payload(int row, Column column) {
    MemorySegment bytes = rows.get(row).bytes(column);
    if (bytes == null) {
      throw new IllegalArgumentException(
          "row " + row + " of a batch has no " + column.text() + ", its first row has");
    }
    return bytes;
  }

  private MemorySegment together(Column column) {
    if (rows.size() == 1 && payload(0, column).isNative()) {
      return payload(0, column);
    }
    long bytes = 0;
    for (int i = 0; i < rows.size(); i++) {
      bytes += payload(i, column).byteSize();
    }
    MemorySegment all = arena.allocate(bytes, 8);
    long at = 0;
    for (int i = 0; i < rows.size(); i++) {
      MemorySegment one = payload(i, column);
      MemorySegment.copy(one, 0, all, at, one.byteSize());
      at += one.byteSize();
    }
    return all;
  }

  private static ArrowBuf view(MemorySegment segment) {
    ArrowBuf buffer =
        new ArrowBuf(ReferenceManager.NO_OP, null, segment.byteSize(), segment.address());
    buffer.writerIndex(segment.byteSize());
    return buffer;
  }
}

package io.cafeq.engine.checkpoint;

import java.lang.foreign.MemorySegment;

/**
 * Reads the codes of some rows [out] of one matrix, from files that store it as [out, in] or as
 * [in, out]. Borrows its buffer; not thread-safe.
 */
final class CodeWindows {
  /** Output channels of a matrix stored as [in, out] that are turned at a time. */
  private static final int ROWS_TOGETHER = 1024;

  /** Takes what was read. */
  interface Consumer {
    /**
     * The segment holds bytes [firstByte, firstByte + bytes) of {@code rows} rows of the rectangle;
     * they begin at {@code at} and are {@code stride} bytes apart.
     */
    void accept(
        long firstRow,
        int rows,
        long firstByte,
        long bytes,
        MemorySegment segment,
        long at,
        long stride);
  }

  /**
   * One matrix.
   *
   * @param offset of its first byte in the tensor
   * @param rows output channels
   * @param rowBytes bytes of the codes of one output channel
   * @param unitBytes that belong together
   * @param element bytes of a stored element
   */
  record Matrix(
      TensorInfo tensor, long offset, long rows, long rowBytes, int unitBytes, int element) {}

  private final MemorySegment buffer;
  private final MemorySegment turned;
  private final RowWindows windows;
  private final RowWindows storedRows;
  private final ElementTransposer transposer = new ElementTransposer();

  CodeWindows(TensorSource source, MemorySegment buffer) {
    this.buffer = buffer;
    MemorySegment stored = buffer.asSlice(0, buffer.byteSize() / 2);
    this.turned = buffer.asSlice(buffer.byteSize() / 2);
    this.windows = new RowWindows(source, buffer);
    this.storedRows = new RowWindows(source, stored);
  }

  /**
   * Reads bytes [firstByte, firstByte + width) of rows [firstRow, firstRow + rows); stored as [out,
   * in].
   */
  void rows(
      Matrix matrix, long firstRow, long rows, long firstByte, long width, Consumer consumer) {
    windows.read(
        matrix.tensor(),
        matrix.offset() + firstRow * matrix.rowBytes() + firstByte,
        matrix.rowBytes(),
        rows,
        width,
        matrix.unitBytes(),
        (row, count, first, bytes, stride) ->
            consumer.accept(row, count, first, bytes, buffer, 0, stride));
  }

  /** The same, stored as [in, out]. */
  void columns(
      Matrix matrix, long firstRow, long rows, long firstByte, long width, Consumer consumer) {
    int element = matrix.element();
    long rowBytes = matrix.rows() * element;
    for (long row = 0; row < rows; row += ROWS_TOGETHER) {
      int together = (int) Math.min(ROWS_TOGETHER, rows - row);
      long most = turned.byteSize() / together / matrix.unitBytes() * matrix.unitBytes();
      long from = row;
      for (long done = 0; done < width; done += most) {
        long bytes = Math.min(most, width - done);
        long offset =
            matrix.offset() + (firstByte + done) / element * rowBytes + (firstRow + row) * element;
        storedRows.read(
            matrix.tensor(),
            offset,
            rowBytes,
            bytes / element,
            (long) together * element,
            element,
            (storedRow, count, first, piece, stride) ->
                transposer.transpose(
                    new ElementTransposer.Area(buffer, 0, stride),
                    count,
                    together,
                    element,
                    new ElementTransposer.Area(turned, storedRow * element, bytes)));
        consumer.accept(from, together, done, bytes, turned, 0, bytes);
      }
    }
  }
}

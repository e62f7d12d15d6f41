package io.cafeq.engine.checkpoint;

import java.lang.foreign.MemorySegment;

/**
 * Reads rectangles of a stored matrix into a buffer, some rows at a time: as many as fit, by one
 * read where what is between their pieces is cheaper to read than to skip, else by one read a row.
 * Borrows everything; not thread-safe.
 */
final class RowWindows {
  /** A call costs as much as some kilobytes that are read and thrown away. */
  private static final int CHEAP_TO_SKIP = 8192;

  /** Takes what was read. */
  interface Consumer {
    /**
     * The buffer holds bytes [firstByte, firstByte + count) of {@code rows} rows of the rectangle,
     * which begin {@code stride} bytes apart.
     */
    void accept(long firstRow, int rows, long firstByte, long count, long stride);
  }

  private final TensorSource source;
  private final MemorySegment buffer;

  RowWindows(TensorSource source, MemorySegment buffer) {
    this.source = source;
    this.buffer = buffer;
  }

  /**
   * Reads a rectangle whose first byte is at {@code offset} of the tensor: {@code rows} pieces of
   * {@code width} bytes, {@code rowBytes} apart. A row longer than the buffer comes in several
   * pieces, each of them whole units of {@code unit} bytes.
   */
  void read(
      TensorInfo tensor,
      long offset,
      long rowBytes,
      long rows,
      long width,
      long unit,
      Consumer consumer) {
    if (width > buffer.byteSize()) {
      long most = buffer.byteSize() / unit * unit;
      for (long row = 0; row < rows; row++) {
        for (long done = 0; done < width; done += most) {
          long count = Math.min(most, width - done);
          source.read(tensor, offset + row * rowBytes + done, buffer.asSlice(0, count));
          consumer.accept(row, 1, done, count, count);
        }
      }
      return;
    }
    boolean apart = width < rowBytes / 2 && rowBytes - width > CHEAP_TO_SKIP;
    long stride = apart ? width : rowBytes;
    long most = (buffer.byteSize() - width) / stride + 1;
    for (long row = 0; row < rows; row += most) {
      int together = (int) Math.min(most, rows - row);
      if (apart) {
        for (int i = 0; i < together; i++) {
          source.read(tensor, offset + (row + i) * rowBytes, buffer.asSlice(i * width, width));
        }
      } else {
        source.read(
            tensor, offset + row * rowBytes, buffer.asSlice(0, (together - 1) * rowBytes + width));
      }
      consumer.accept(row, together, 0, width, stride);
    }
  }
}

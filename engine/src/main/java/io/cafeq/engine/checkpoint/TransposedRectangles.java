package io.cafeq.engine.checkpoint;

import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Reads rectangles of matrices [out, in] that are stored as [in, out]: some stored rows at a time
 * are read into one half of the buffer, turned into the other half and converted. Borrows its
 * buffer; not thread-safe.
 */
final class TransposedRectangles {
  /**
   * Fewer stored rows at a time would make pieces of the target that are too short to copy well.
   */
  private static final int ROWS_TOGETHER = 64;

  private final TensorSource source;
  private final FloatDecoder decoder;
  private final ElementTransposer transposer = new ElementTransposer();
  private final MemorySegment stored;
  private final MemorySegment turned;
  private final RowWindows windows;

  TransposedRectangles(TensorSource source, FloatDecoder decoder, MemorySegment buffer) {
    this.source = source;
    this.decoder = decoder;
    this.stored = buffer.asSlice(0, buffer.byteSize() / 2);
    this.turned = buffer.asSlice(buffer.byteSize() / 2);
    this.windows = new RowWindows(source, stored);
  }

  /** Fills the target, from row {@code firstRow} (counted through all experts) on. */
  void read(StoredMatrix matrix, long firstRow, int firstColumn, FloatMatrix target) {
    long rows = matrix.rows();
    for (int done = 0; done < target.rows(); ) {
      long row = firstRow + done;
      int count = (int) Math.min(target.rows() - done, rows - row % rows);
      expert(matrix, row / rows, row % rows, firstColumn, target.slice(done, count));
      done += count;
    }
  }

  private void expert(
      StoredMatrix matrix, long expert, long firstRow, int firstColumn, FloatMatrix target) {
    int size = matrix.dtype().bytes();
    long storedColumns = matrix.rows();
    long offset = ((expert * matrix.columns() + firstColumn) * storedColumns + firstRow) * size;
    int stripe = (int) Math.min(target.rows(), stored.byteSize() / ROWS_TOGETHER / size);
    for (int first = 0; first < target.rows(); first += stripe) {
      int width = Math.min(stripe, target.rows() - first);
      FloatMatrix part = target.slice(first, width);
      long partRow = expert * matrix.rows() + firstRow + first;
      windows.read(
          matrix.info(),
          offset + (long) first * size,
          storedColumns * size,
          target.columns(),
          (long) width * size,
          size,
          (column, count, firstByte, bytes, stride) ->
              turn(matrix, partRow, firstColumn, (int) column, count, stride, part));
    }
  }

  /** Columns [column, column + count) of the part, which are stored rows in the buffer. */
  private void turn(
      StoredMatrix matrix,
      long firstRow,
      int firstColumn,
      int column,
      int count,
      long stride,
      FloatMatrix part) {
    Dtype dtype = matrix.dtype();
    long turnedRow = (long) count * dtype.bytes();
    transposer.transpose(
        new ElementTransposer.Area(stored, 0, stride),
        count,
        part.rows(),
        dtype.bytes(),
        new ElementTransposer.Area(turned, 0, turnedRow));
    for (int row = 0; row < part.rows(); row++) {
      long to = (long) row * part.columns() + column;
      long broken = decoder.decode(dtype, turned, row * turnedRow, count, part.segment(), to);
      if (broken != FloatDecoder.ALL_FINITE) {
        float value = part.segment().getAtIndex(ValueLayout.JAVA_FLOAT, to + broken);
        throw matrix.notFinite(source, firstRow + row, firstColumn + column + broken, value);
      }
    }
  }
}

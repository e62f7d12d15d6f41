package io.cafeq.engine.checkpoint;

import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Reads rectangles of matrices whose rows are one after the other. Borrows its buffer; not
 * thread-safe.
 */
final class PlainRectangles {
  private final TensorSource source;
  private final FloatDecoder decoder;
  private final MemorySegment buffer;
  private final RowWindows windows;

  PlainRectangles(TensorSource source, FloatDecoder decoder, MemorySegment buffer) {
    this.source = source;
    this.decoder = decoder;
    this.buffer = buffer;
    this.windows = new RowWindows(source, buffer);
  }

  /** Fills the target, from row {@code firstRow} (counted through all experts) on. */
  void read(StoredMatrix matrix, long firstRow, long firstColumn, FloatMatrix target) {
    int size = matrix.dtype().bytes();
    long columns = matrix.columns();
    long first = firstRow * columns + firstColumn;
    boolean wholeRows = target.columns() == columns;
    // Whole rows are one long row.
    long width = wholeRows ? target.elements() : target.columns();
    long rows = wholeRows ? 1 : target.rows();
    windows.read(
        matrix.info(),
        first * size,
        columns * size,
        rows,
        width * size,
        size,
        (row, count, firstByte, bytes, stride) -> {
          for (int i = 0; i < count; i++) {
            long at = firstByte / size;
            convert(
                matrix,
                first + (row + i) * columns + at,
                buffer,
                i * stride,
                bytes / size,
                target,
                (row + i) * target.columns() + at);
          }
        });
  }

  /**
   * Converts elements that are at {@code from} of the bytes and are {@code element} and following
   * of the matrix.
   */
  void convert(
      StoredMatrix matrix,
      long element,
      MemorySegment bytes,
      long from,
      long count,
      FloatMatrix target,
      long to) {
    long broken = decoder.decode(matrix.dtype(), bytes, from, count, target.segment(), to);
    if (broken != FloatDecoder.ALL_FINITE) {
      float value = target.segment().getAtIndex(ValueLayout.JAVA_FLOAT, to + broken);
      throw matrix.notFinite(
          source,
          (element + broken) / matrix.columns(),
          (element + broken) % matrix.columns(),
          value);
    }
  }
}

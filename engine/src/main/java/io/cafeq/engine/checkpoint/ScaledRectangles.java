package io.cafeq.engine.checkpoint;

import io.cafeq.engine.checkpoint.WeightLayout.Codes;
import io.cafeq.engine.checkpoint.WeightLayout.Quantized;
import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Reads rectangles of matrices that another program quantized. The scales of a band of rows are
 * read first, then its codes. Borrows its buffer; not thread-safe.
 */
final class ScaledRectangles {
  private static final int TILE = 4096;
  private static final ValueLayout.OfInt INTS =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final TensorSource source;
  private final CodeDecoder codeDecoder;
  private final FloatDecoder decoder;
  private final ScaleBand scales;
  private final MemorySegment buffer;
  private final CodeWindows windows;
  private final byte[] bytes = new byte[TILE + 1];
  private final float[] floats = new float[TILE];
  private final int[] groups = new int[TILE];

  ScaledRectangles(
      TensorSource source,
      EightBitFloats eightBit,
      PlainRectangles plain,
      TransposedRectangles transposed,
      MemorySegment buffer) {
    this.source = source;
    this.codeDecoder = new CodeDecoder(eightBit);
    this.decoder = new FloatDecoder(eightBit);
    this.scales = new ScaleBand(source, plain, transposed, buffer);
    this.buffer = buffer;
    this.windows = new CodeWindows(source, buffer);
  }

  /** Fills the target, from row {@code firstRow} (counted through all experts) on. */
  void read(
      WeightTensor weight, Quantized layout, long firstRow, int firstColumn, FloatMatrix target) {
    long rows = weight.rows();
    for (int done = 0; done < target.rows(); ) {
      long row = firstRow + done;
      int count = (int) Math.min(target.rows() - done, rows - row % rows);
      expert(
          new Expert(
              weight, layout, row / rows, row % rows, firstColumn, target.slice(done, count)));
      done += count;
    }
  }

  /**
   * A rectangle of one matrix.
   *
   * @param firstRow within the expert's matrix
   */
  private record Expert(
      WeightTensor weight,
      Quantized layout,
      long expert,
      long firstRow,
      int firstColumn,
      FloatMatrix target) {
    Codes codes() {
      return layout.codes();
    }

    int tileColumns() {
      return layout.scales().tiles().columns();
    }

    int tileRows() {
      return layout.scales().tiles().rows();
    }

    long endRow() {
      return firstRow + target.rows();
    }

    int endColumn() {
      return firstColumn + target.columns();
    }

    CodeWindows.Matrix matrix() {
      TensorInfo info = weight.info();
      long bytes = info.bytes() / weight.experts();
      return new CodeWindows.Matrix(
          info,
          expert * bytes,
          weight.rows(),
          bytes / weight.rows(),
          codes().unitBytes(),
          info.dtype().bytes());
    }
  }

  /**
   * Columns whose scales of one row fit the room for them.
   *
   * @param firstTile the first column of tiles
   * @param tiles their number
   */
  private record Stripe(int column, int end, int firstTile, int tiles) {}

  private void expert(Expert part) {
    boolean indexed = part.layout().scales().groupIndex().isPresent();
    int tileColumns = part.tileColumns();
    int all = Math.ceilDiv(part.weight().columns(), tileColumns);
    for (int column = part.firstColumn(); column < part.endColumn(); ) {
      int end =
          (int)
              Math.min(
                  part.endColumn(),
                  indexed
                      ? (long) column + groups.length
                      : (column / (long) tileColumns + ScaleBand.MOST) * tileColumns);
      int firstTile = indexed ? 0 : column / tileColumns;
      int tiles = indexed ? all : (end - 1) / tileColumns - firstTile + 1;
      if (indexed) {
        readGroups(part, column, end, all);
      }
      stripe(part, new Stripe(column, end, firstTile, tiles));
      column = end;
    }
  }

  private void readGroups(Expert part, int column, int end, int all) {
    TensorInfo index = part.layout().scales().groupIndex().orElseThrow();
    MemorySegment words = buffer.asSlice(0, (long) (end - column) * Integer.BYTES);
    long own =
        index.elements() == part.weight().columns() ? 0 : part.expert() * part.weight().columns();
    source.read(index, (own + column) * Integer.BYTES, words);
    for (int i = 0; i < end - column; i++) {
      int group = words.getAtIndex(INTS, i);
      if (group < -1 || group >= all) {
        throw new CheckpointException(
            source.place(index)
                + ": entry "
                + (column + i)
                + ": expected a group from 0 to "
                + (all - 1)
                + ", found "
                + group,
            BrokenWeights.remedy(part.weight().name()));
      }
      groups[i] = group < 0 ? (column + i) / part.tileColumns() : group;
    }
  }

  private void stripe(Expert part, Stripe stripe) {
    Codes codes = part.codes();
    CodeWindows.Matrix matrix = part.matrix();
    long firstByte = (long) (stripe.column() / codes.unitColumns()) * codes.unitBytes();
    long endByte =
        Math.min(
            matrix.rowBytes(),
            (long) Math.ceilDiv(stripe.end(), codes.unitColumns()) * codes.unitBytes());
    long tileRows = part.tileRows();
    for (long row = part.firstRow(); row < part.endRow(); ) {
      long firstTile = row / tileRows;
      long bandEnd =
          Math.min(part.endRow(), (firstTile + ScaleBand.MOST / stripe.tiles()) * tileRows);
      int tiles = (int) ((bandEnd - 1) / tileRows - firstTile + 1);
      scales.read(
          part.weight(),
          part.layout(),
          new ScaleBand.Area(part.expert(), firstTile, tiles, stripe.firstTile(), stripe.tiles()));
      long bandRow = row;
      CodeWindows.Consumer consumer =
          (windowRow, count, first, pieceBytes, segment, at, stride) -> {
            for (int i = 0; i < count; i++) {
              long own = bandRow + windowRow + i;
              int column = (int) ((firstByte + first) / codes.unitBytes() * codes.unitColumns());
              int scaleRow = (int) (own / tileRows - firstTile) * stripe.tiles();
              decode(
                  part,
                  stripe,
                  own,
                  column,
                  scaleRow,
                  segment.asSlice(at + i * stride, pieceBytes));
            }
          };
      if (part.layout().kind().isTransposed()) {
        windows.columns(matrix, row, bandEnd - row, firstByte, endByte - firstByte, consumer);
      } else {
        windows.rows(matrix, row, bandEnd - row, firstByte, endByte - firstByte, consumer);
      }
      row = bandEnd;
    }
  }

  /**
   * Some codes of a row.
   *
   * @param column where the bytes begin
   * @param scaleRow index of the first scale of the row's tiles
   */
  private void decode(
      Expert part, Stripe stripe, long row, int column, int scaleRow, MemorySegment stored) {
    Codes codes = part.codes();
    int mostBytes = TILE / codes.unitColumns() * codes.unitBytes();
    int next = column;
    for (long done = 0; done < stored.byteSize() && next < stripe.end(); done += mostBytes) {
      int count = (int) Math.min(mostBytes, stored.byteSize() - done);
      MemorySegment.copy(stored, ValueLayout.JAVA_BYTE, done, bytes, 0, count);
      int columns =
          Math.min(
              Math.ceilDiv(count, codes.unitBytes()) * codes.unitColumns(), stripe.end() - next);
      codeDecoder.decode(codes, part.weight().info().dtype(), bytes, columns, floats);
      int from = Math.max(next, stripe.column());
      scale(part, stripe, next, from, next + columns, scaleRow);
      put(part, row, from, from - next, columns - (from - next));
      next += columns;
    }
  }

  /** Columns [from, end); the first of the decoded ones is {@code first}. */
  private void scale(Expert part, Stripe stripe, int first, int from, int end, int scaleRow) {
    if (part.layout().scales().groupIndex().isPresent()) {
      for (int column = from; column < end; column++) {
        scales.apply(
            scaleRow + groups[column - stripe.column()],
            floats,
            column - first,
            column - first + 1);
      }
      return;
    }
    int tileColumns = part.tileColumns();
    for (int column = from; column < end; ) {
      int tile = column / tileColumns;
      int tileEnd = (int) Math.min(end, (tile + 1L) * tileColumns);
      scales.apply(scaleRow + tile - stripe.firstTile(), floats, column - first, tileEnd - first);
      column = tileEnd;
    }
  }

  private void put(Expert part, long row, int column, int at, int count) {
    FloatMatrix target = part.target();
    long to = (row - part.firstRow()) * target.columns() + column - part.firstColumn();
    long broken = decoder.put(floats, at, count, target.segment(), to);
    if (broken != FloatDecoder.ALL_FINITE) {
      throw StoredMatrix.of(part.weight())
          .notFinite(
              source,
              part.expert() * part.weight().rows() + row,
              column + broken,
              floats[(int) (at + broken)]);
    }
  }
}

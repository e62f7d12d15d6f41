package io.cafeq.engine.checkpoint;

import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Reads rectangles of matrices of small floats with a scale for each tile of rows and columns. The scales of a band of
 * rows are read first, then its weights. Borrows its buffer; not thread-safe.
 */
final class ScaledRectangles {
  private static final int SCALES = 16384;
  private static final int TILE = 4096;

  private final TensorSource source;
  private final EightBitFloats eightBit;
  private final FloatDecoder decoder;
  private final PlainRectangles scaleReader;
  private final MemorySegment buffer;
  private final RowWindows windows;
  private final float[] scales = new float[SCALES];
  private final byte[] bytes = new byte[TILE];
  private final float[] floats = new float[TILE];

  ScaledRectangles(
      TensorSource source, EightBitFloats eightBit, FloatDecoder decoder, PlainRectangles plain, MemorySegment buffer) {
    this.source = source;
    this.eightBit = eightBit;
    this.decoder = decoder;
    this.scaleReader = plain;
    this.buffer = buffer;
    this.windows = new RowWindows(source, buffer);
  }

  /**
   * How a tensor is packed: each {@code unit} columns are {@code unitBytes} bytes.
   *
   * @param nibbles whether the elements are E2M1 floats, else they have the tensor's type
   */
  private record Packed(
      WeightTensor weight, StoredMatrix scales, int tileRows, int tileColumns, int unit, int unitBytes,
      boolean nibbles) {}

  /** Fills the target, from row {@code firstRow} on. */
  void tiled(WeightTensor weight, WeightLayout.Tiled layout, long firstRow, int firstColumn, FloatMatrix target) {
    StoredMatrix tiles = StoredMatrix.scales(
        weight, layout.scales(), layout.scales().dtype(), layout.tileRows(), layout.tileColumns());
    read(
        new Packed(weight, tiles, layout.tileRows(), layout.tileColumns(), 1, 1, false), firstRow, firstColumn, target);
  }

  /** Fills the target, from row {@code firstRow} (counted through all experts) on. */
  void microScaled(
      WeightTensor weight, WeightLayout.MicroScaled layout, long firstRow, int firstColumn, FloatMatrix target) {
    int block = WeightLayout.MicroScaled.BLOCK;
    StoredMatrix blocks = StoredMatrix.scales(weight, layout.scales(), Dtype.F8_E8M0, 1, block);
    read(new Packed(weight, blocks, 1, block, block, block / 2, true), firstRow, firstColumn, target);
  }

  private void read(Packed packed, long firstRow, int firstColumn, FloatMatrix target) {
    long tileColumns = packed.tileColumns();
    long end = (long) firstColumn + target.columns();
    for (long column = firstColumn; column < end; ) {
      long stripeEnd = Math.min(end, (column / tileColumns + SCALES) * tileColumns);
      int tiles = (int) ((stripeEnd - 1) / tileColumns - column / tileColumns + 1);
      stripe(packed, firstRow, firstColumn, (int) column, (int) stripeEnd, tiles, target);
      column = stripeEnd;
    }
  }

  /** Columns [column, end), whose tiles of one row fit the room for scales. */
  private void stripe(
      Packed packed, long firstRow, int firstColumn, int column, int end, int tiles, FloatMatrix target) {
    long tileRows = packed.tileRows();
    long lastRow = firstRow + target.rows();
    long firstUnit = column / packed.unit();
    long width = (Math.ceilDiv(end, packed.unit()) - firstUnit) * packed.unitBytes();
    long rowBytes = (long) packed.weight().columns() / packed.unit() * packed.unitBytes();
    for (long row = firstRow; row < lastRow; ) {
      long bandTile = row / tileRows;
      long bandEnd = Math.min(lastRow, (bandTile + SCALES / tiles) * tileRows);
      int bandTiles = (int) ((bandEnd - 1) / tileRows - bandTile + 1);
      scaleReader.read(
          packed.scales(), bandTile, column / packed.tileColumns(),
          new FloatMatrix(MemorySegment.ofArray(scales), bandTiles, tiles));
      long bandRow = row;
      windows.read(
          packed.weight().info(), row * rowBytes + firstUnit * packed.unitBytes(), rowBytes, bandEnd - row, width,
          packed.unitBytes(),
          (windowRow, count, firstByte, pieceBytes, stride) -> {
            int pieceColumn = (int) ((firstUnit + firstByte / packed.unitBytes()) * packed.unit());
            for (int i = 0; i < count; i++) {
              long at = bandRow + windowRow + i;
              int firstScale = (int) (at / tileRows - bandTile) * tiles - column / packed.tileColumns();
              Piece piece = new Piece(at, pieceColumn, column, end, firstScale,
                  (at - firstRow) * target.columns() - firstColumn);
              decode(packed, piece, i * stride, pieceBytes, target);
            }
          });
      row = bandEnd;
    }
  }

  /**
   * Part of a row.
   *
   * @param column where its bytes begin
   * @param from where the columns asked for begin
   * @param end where they end
   * @param firstScale index of the scale of the row's tile 0
   * @param to index in the target of the row's column 0
   */
  private record Piece(long row, int column, int from, int end, int firstScale, long to) {}

  private void decode(Packed packed, Piece piece, long at, long count, FloatMatrix target) {
    int most = TILE / packed.unit() * packed.unitBytes();
    int column = piece.column();
    for (long done = 0; done < count; done += most) {
      int tileBytes = (int) Math.min(most, count - done);
      int elements = tileBytes / packed.unitBytes() * packed.unit();
      MemorySegment.copy(buffer, ValueLayout.JAVA_BYTE, at + done, bytes, 0, tileBytes);
      if (packed.nibbles()) {
        nibbles(packed, piece.firstScale() + column / packed.tileColumns(), tileBytes);
      } else {
        wholeBytes(packed, piece.firstScale(), column, elements);
      }
      int from = Math.max(column, piece.from());
      int end = Math.min(column + elements, piece.end());
      long broken = decoder.put(floats, from - column, end - from, target.segment(), piece.to() + from);
      if (broken != FloatDecoder.ALL_FINITE) {
        throw StoredMatrix.of(packed.weight()).notFinite(
            source, piece.row(), from + broken, floats[(int) (from - column + broken)]);
      }
      column += elements;
    }
  }

  private void nibbles(Packed packed, int firstScale, int count) {
    int block = packed.unitBytes();
    for (int done = 0; done < count; done += block) {
      eightBit.multiplyNibbles(bytes, done, block, scales[firstScale + done / block], floats, 2 * done);
    }
  }

  private void wholeBytes(Packed packed, int firstScale, int column, int count) {
    Dtype dtype = packed.weight().info().dtype();
    for (int done = 0; done < count; ) {
      int tile = (column + done) / packed.tileColumns();
      int end = (int) Math.min(count, (tile + 1L) * packed.tileColumns() - column);
      eightBit.multiply(dtype, bytes, done, end, scales[firstScale + tile], floats);
      done = end;
    }
  }
}

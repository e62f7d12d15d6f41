package io.cafeq.engine.checkpoint;

import io.cafeq.engine.checkpoint.WeightLayout.Codes;
import io.cafeq.engine.checkpoint.WeightLayout.GlobalScale;
import io.cafeq.engine.checkpoint.WeightLayout.Quantized;
import io.cafeq.engine.checkpoint.WeightLayout.Scales;
import io.cafeq.engine.checkpoint.WeightLayout.Tiles;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.text.VisibleText;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Holds the scales and zero points of some tiles of one matrix. Borrows its readers and their
 * buffer; not thread-safe.
 */
final class ScaleBand {
  /** The most scales that are held at a time. */
  static final int MOST = 16384;

  private static final ValueLayout.OfInt INTS =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final long UNSIGNED = 0xFFFFFFFFL;

  private final TensorSource source;
  private final PlainRectangles plain;
  private final TransposedRectangles transposed;
  private final MemorySegment low;
  private final MemorySegment high;
  private final float[] scales = new float[MOST];
  private final float[] zeros = new float[MOST];
  private boolean hasZeros;

  ScaleBand(
      TensorSource source,
      PlainRectangles plain,
      TransposedRectangles transposed,
      MemorySegment buffer) {
    this.source = source;
    this.plain = plain;
    this.transposed = transposed;
    this.low = buffer.asSlice(0, (long) MOST * Integer.BYTES);
    this.high = buffer.asSlice((long) MOST * Integer.BYTES, (long) MOST * Integer.BYTES);
  }

  /**
   * Tiles [firstRow, firstRow + rows) x [firstColumn, firstColumn + columns) of an expert's matrix.
   */
  record Area(long expert, long firstRow, int rows, long firstColumn, int columns) {}

  /** Reads an area of {@link #MOST} tiles at most. */
  void read(WeightTensor weight, Quantized layout, Area area) {
    Scales stored = layout.scales();
    matrix(weight, stored.tensor(), stored.dtype(), stored.tiles(), "scale", area, scales);
    stored.global().ifPresent(global -> multiply(weight, global, area));
    hasZeros = layout.zeroPoints().isPresent();
    layout
        .zeroPoints()
        .ifPresent(
            points -> {
              TensorInfo tensor = points.tensor();
              if (points.packed()) {
                packed(weight, layout, tensor, area);
              } else {
                matrix(weight, tensor, tensor.dtype(), stored.tiles(), "zero point", area, zeros);
              }
            });
  }

  /**
   * Makes {@code (code - zero point) * scale} of codes [first, end), with those of the tile at
   * {@code index}.
   */
  void apply(int index, float[] codes, int first, int end) {
    float scale = scales[index];
    if (hasZeros) {
      float zero = zeros[index];
      for (int i = first; i < end; i++) {
        codes[i] = (codes[i] - zero) * scale;
      }
    } else {
      for (int i = first; i < end; i++) {
        codes[i] *= scale;
      }
    }
  }

  private void matrix(
      WeightTensor weight,
      TensorInfo tensor,
      Dtype dtype,
      Tiles tiles,
      String noun,
      Area area,
      float[] values) {
    StoredMatrix grid =
        new StoredMatrix(
            tensor,
            dtype,
            tiles.isPerExpert() && weight.isStack(),
            Math.ceilDiv(weight.rows(), tiles.rows()),
            Math.ceilDiv(weight.columns(), tiles.columns()),
            new StoredMatrix.Meaning(noun, weight.name()));
    FloatMatrix target =
        new FloatMatrix(MemorySegment.ofArray(values), area.rows(), area.columns());
    long row = (tiles.isPerExpert() ? area.expert() * grid.rows() : 0) + area.firstRow();
    if (tiles.isTransposed()) {
      transposed.read(grid, row, Math.toIntExact(area.firstColumn()), target);
    } else {
      plain.read(grid, row, area.firstColumn(), target);
    }
  }

  private void multiply(WeightTensor weight, GlobalScale global, Area area) {
    TensorInfo tensor = global.tensor();
    StoredMatrix vector =
        new StoredMatrix(
            tensor,
            tensor.dtype(),
            false,
            tensor.elements(),
            1,
            new StoredMatrix.Meaning("scale", weight.name()));
    float[] factor = new float[1];
    plain.read(
        vector,
        tensor.elements() == 1 ? 0 : area.expert(),
        0,
        new FloatMatrix(MemorySegment.ofArray(factor), 1, 1));
    if (global.divides() && factor[0] == 0) {
      throw new CheckpointException(
          source.place(tensor)
              + ": the scales of tensor "
              + VisibleText.quoted(weight.name())
              + " are divided by it: expected a number other than 0, found 0",
          BrokenWeights.remedy(weight.name()));
    }
    for (int i = 0; i < area.rows() * area.columns(); i++) {
      scales[i] = global.divides() ? scales[i] / factor[0] : scales[i] * factor[0];
    }
  }

  /**
   * Zero points that are packed along the rows: a row of words serves several rows of the matrix.
   */
  private void packed(WeightTensor weight, Quantized layout, TensorInfo tensor, Area area) {
    Codes codes = layout.codes();
    long groups = Math.ceilDiv(weight.columns(), layout.scales().tiles().columns());
    long firstWord = area.expert() * codes.words(weight.rows());
    long present = -1;
    for (int row = 0; row < area.rows(); row++) {
      long bit = codes.bit(area.firstRow() + row);
      long word = bit / Integer.SIZE;
      int shift = (int) (bit % Integer.SIZE);
      boolean crosses = shift + codes.bits() > Integer.SIZE;
      if (word != present) {
        read(tensor, (firstWord + word) * groups, area, low);
        present = word;
      }
      if (crosses) {
        read(tensor, (firstWord + word + 1) * groups, area, high);
      }
      for (int column = 0; column < area.columns(); column++) {
        long both =
            low.getAtIndex(INTS, column) & UNSIGNED
                | (crosses ? (high.getAtIndex(INTS, column) & UNSIGNED) << Integer.SIZE : 0);
        zeros[row * area.columns() + column] = (both >>> shift & codes.largest()) - codes.offset();
      }
    }
  }

  private void read(TensorInfo tensor, long firstElement, Area area, MemorySegment words) {
    source.read(
        tensor,
        (firstElement + area.firstColumn()) * Integer.BYTES,
        words.asSlice(0, (long) area.columns() * Integer.BYTES));
  }
}

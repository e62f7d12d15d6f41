package io.cafeq.engine.checkpoint;

import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Objects;

/**
 * Reads rectangles of weight matrices as floats, by way of 1 MiB outside the heap and some small tiles. One for each
 * worker: not thread-safe. It owns its buffers and borrows the checkpoint, which must stay open.
 */
public final class TensorReader implements AutoCloseable {
  /** Bytes outside the heap that one reader holds. */
  public static final long SCRATCH_BYTES = 1L << 20;

  private static final int TILE = 4096;
  private static final int CHEAP_TO_SKIP = 8192;
  private static final ValueLayout.OfShort SHORTS = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INTS = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfDouble DOUBLES =
      ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final Checkpoint checkpoint;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment scratch = arena.allocate(SCRATCH_BYTES, 64);
  private final short[] shorts = new short[TILE];
  private final int[] bits = new int[TILE];
  private final float[] floats = new float[TILE];
  private final double[] doubles = new double[TILE];

  TensorReader(Checkpoint checkpoint) {
    this.checkpoint = checkpoint;
  }

  /**
   * The rectangle [firstRow, firstRow + target.rows) x [firstColumn, firstColumn + target.columns) of a BF16, F16, F32
   * or F64 matrix. NaN, infinity, and doubles beyond the range of floats are an error that names tensor, row and
   * column; the target's content is undefined then.
   */
  public void readFloats(TensorInfo tensor, int firstRow, int firstColumn, FloatMatrix target) {
    checkMatrix(tensor);
    long columns = tensor.shape().get(1);
    Objects.checkFromIndexSize(firstRow, target.rows(), tensor.shape().get(0));
    Objects.checkFromIndexSize(firstColumn, target.columns(), columns);
    if (target.elements() == 0) {
      return;
    }
    int size = tensor.dtype().bytes();
    long rowBytes = columns * size;
    long width = (long) target.columns() * size;
    int together = rowsTogether(rowBytes, width, target.rows());
    for (int row = 0; row < target.rows(); row += together) {
      int rows = Math.min(together, target.rows() - row);
      long offset = (firstRow + (long) row) * rowBytes + (long) firstColumn * size;
      if (width > SCRATCH_BYTES) {
        readLongRow(tensor, offset, width, target, row);
      } else {
        checkpoint.read(tensor, offset, scratch.asSlice(0, (rows - 1) * rowBytes + width));
        if (width == rowBytes) {
          convert(tensor, offset, scratch, 0, (long) rows * target.columns(), target, (long) row * target.columns());
        } else {
          for (int i = 0; i < rows; i++) {
            convert(
                tensor, offset + i * rowBytes, scratch, i * rowBytes, target.columns(), target,
                (row + (long) i) * target.columns());
          }
        }
      }
    }
  }

  /** The same of a weight tensor. */
  public void readFloats(WeightTensor weight, int firstRow, int firstColumn, FloatMatrix target) {
    readFloats(weight.info(), firstRow, firstColumn, target);
  }

  /** Rows that one read takes: a call for each row costs as much as some kilobytes that are read and skipped. */
  private static int rowsTogether(long rowBytes, long width, int rows) {
    if (width > SCRATCH_BYTES || (width < rowBytes / 2 && rowBytes - width > CHEAP_TO_SKIP)) {
      return 1;
    }
    return (int) Math.min(rows, (SCRATCH_BYTES - width) / rowBytes + 1);
  }

  private void readLongRow(TensorInfo tensor, long offset, long width, FloatMatrix target, int row) {
    int size = tensor.dtype().bytes();
    for (long done = 0; done < width; done += SCRATCH_BYTES) {
      long count = Math.min(SCRATCH_BYTES, width - done);
      checkpoint.read(tensor, offset + done, scratch.asSlice(0, count));
      convert(tensor, offset + done, scratch, 0, count / size, target, (long) row * target.columns() + done / size);
    }
  }

  /**
   * Whole rows that were read already: {@code bytes} are the tensor's from {@code firstRow} on, as many rows as the
   * target has. The same errors as {@link #readFloats}.
   */
  public void toFloats(TensorInfo tensor, int firstRow, MemorySegment bytes, FloatMatrix target) {
    checkMatrix(tensor);
    long offset = firstRow * tensor.shape().get(1) * tensor.dtype().bytes();
    convert(tensor, offset, bytes, 0, target.elements(), target, 0);
  }

  /**
   * Converts {@code count} elements that lie at {@code from} in the source and came from {@code offset} of the tensor.
   */
  private void convert(
      TensorInfo tensor, long offset, MemorySegment source, long from, long count, FloatMatrix target, long to) {
    int size = tensor.dtype().bytes();
    for (long done = 0; done < count; done += TILE) {
      int tile = (int) Math.min(TILE, count - done);
      boolean finite = convertTile(tensor.dtype(), source, from + done * size, tile, target.segment(),
          (to + done) * Float.BYTES);
      if (!finite) {
        throw notFinite(tensor, offset / size + done, target.segment(), to + done, tile);
      }
    }
  }

  private boolean convertTile(Dtype dtype, MemorySegment source, long from, int count, MemorySegment target, long to) {
    return switch (dtype) {
      case BF16 -> {
        MemorySegment.copy(source, SHORTS, from, shorts, 0, count);
        boolean finite = FloatConversion.fromBf16(shorts, bits, count);
        MemorySegment.copy(bits, 0, target, ValueLayout.JAVA_INT, to, count);
        yield finite;
      }
      case F32 -> {
        MemorySegment.copy(source, INTS, from, bits, 0, count);
        boolean finite = FloatConversion.areFinite(bits, count);
        MemorySegment.copy(bits, 0, target, ValueLayout.JAVA_INT, to, count);
        yield finite;
      }
      case F16 -> {
        MemorySegment.copy(source, SHORTS, from, shorts, 0, count);
        boolean finite = FloatConversion.fromF16(shorts, floats, count);
        MemorySegment.copy(floats, 0, target, ValueLayout.JAVA_FLOAT, to, count);
        yield finite;
      }
      case F64 -> {
        MemorySegment.copy(source, DOUBLES, from, doubles, 0, count);
        boolean finite = FloatConversion.fromF64(doubles, floats, count);
        MemorySegment.copy(floats, 0, target, ValueLayout.JAVA_FLOAT, to, count);
        yield finite;
      }
      case F8_E4M3, F8_E5M2, F8_E8M0, I64, I32, I16, I8, U64, U32, U16, U8, BOOL ->
          throw new IllegalArgumentException("no weights: " + dtype);
    };
  }

  private CheckpointException notFinite(TensorInfo tensor, long element, MemorySegment target, long to, int count) {
    int bad = 0;
    while (bad < count - 1 && Float.isFinite(target.getAtIndex(ValueLayout.JAVA_FLOAT, to + bad))) {
      bad++;
    }
    float value = target.getAtIndex(ValueLayout.JAVA_FLOAT, to + bad);
    long columns = tensor.shape().get(1);
    String found = Float.isNaN(value) ? "NaN" : tensor.dtype() == Dtype.F64
        ? "infinity, or beyond the range of floats" : "infinity";
    return new CheckpointException(
        checkpoint.place(tensor) + ": row " + (element + bad) / columns + ", column " + (element + bad) % columns
            + ": expected a finite weight, found " + found,
        "The weights are broken: use another copy of the checkpoint, or exclude this tensor.");
  }

  private void checkMatrix(TensorInfo tensor) {
    if (!tensor.isMatrix() || !tensor.dtype().isWeight()) {
      throw new CheckpointException(
          checkpoint.place(tensor) + ": expected a matrix of BF16, F16, F32 or F64, found " + tensor.dtype() + " "
              + tensor.shape(),
          "Exclude this tensor, so that it is copied as it is.");
    }
  }

  @Override
  public void close() {
    arena.close();
  }
}

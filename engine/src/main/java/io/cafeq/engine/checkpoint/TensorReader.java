package io.cafeq.engine.checkpoint;

import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Objects;

/**
 * Reads rectangles of weight matrices as floats, by way of 1 MiB outside the heap and some small
 * tiles. One for each worker: not thread-safe. It owns its buffers and borrows the source, which
 * must stay open.
 *
 * <p>Values are exact: those of 16, 32 and 64 bits become the nearest float (the same one but for
 * 64 bits). Quantized ones are one float product of the code, less its zero point, and its scale;
 * with two levels of scales, that is itself one product or quotient.
 */
public final class TensorReader implements AutoCloseable {
  /** Bytes outside the heap that one reader holds. */
  public static final long SCRATCH_BYTES = 1L << 20;

  private final TensorSource source;
  private final Arena arena = Arena.ofShared();
  private final PlainRectangles plain;
  private final TransposedRectangles transposed;
  private final ScaledRectangles scaled;

  /** Reads from a checkpoint, or from whatever else holds tensors as checkpoints do. */
  public TensorReader(TensorSource source) {
    this.source = source;
    MemorySegment scratch = arena.allocate(SCRATCH_BYTES, 64);
    EightBitFloats eightBit = new EightBitFloats();
    FloatDecoder decoder = new FloatDecoder(eightBit);
    this.plain = new PlainRectangles(source, decoder, scratch);
    this.transposed = new TransposedRectangles(source, decoder, scratch);
    this.scaled = new ScaledRectangles(source, eightBit, plain, transposed, scratch);
  }

  /**
   * The rectangle [firstRow, firstRow + target.rows) x [firstColumn, firstColumn + target.columns)
   * of the weights as [out, in], whatever their layout; rows are counted through all experts, and a
   * rectangle may span several. NaN, infinity, and what is beyond the range of floats are a {@link
   * CheckpointException} that names file, tensor, expert, row and column; the target's content is
   * undefined then.
   */
  public void readFloats(WeightTensor weight, int firstRow, int firstColumn, FloatMatrix target) {
    Objects.checkFromIndexSize(firstRow, target.rows(), weight.allRows());
    Objects.checkFromIndexSize(firstColumn, target.columns(), weight.columns());
    if (target.elements() == 0) {
      return;
    }
    switch (weight.layout()) {
      case WeightLayout.Plain layout -> {
        checkMatrix(weight.info());
        plain.read(StoredMatrix.of(weight), firstRow, firstColumn, target);
      }
      case WeightLayout.Transposed layout -> {
        checkMatrix(weight.info());
        transposed.read(StoredMatrix.of(weight), firstRow, firstColumn, target);
      }
      case WeightLayout.Quantized layout ->
          scaled.read(weight, layout, firstRow, firstColumn, target);
    }
  }

  /**
   * As {@link #readFloats(WeightTensor, int, int, FloatMatrix)}, for a matrix, or a stack of them,
   * as it is stored.
   */
  public void readFloats(TensorInfo tensor, int firstRow, int firstColumn, FloatMatrix target) {
    checkMatrix(tensor);
    readFloats(WeightTensor.plain(tensor), firstRow, firstColumn, target);
  }

  /** The elements of a vector of fewer than 2^31; their shape does not matter. */
  public float[] readVector(TensorInfo tensor) {
    float[] values = new float[Math.toIntExact(tensor.elements())];
    TensorInfo row =
        new TensorInfo(
            tensor.name(),
            tensor.dtype(),
            List.of(1L, tensor.elements()),
            tensor.file(),
            tensor.position(),
            tensor.bytes());
    try (Arena arena = Arena.ofConfined()) {
      FloatMatrix floats = FloatMatrix.allocate(arena, 1, values.length);
      readFloats(row, 0, 0, floats);
      MemorySegment.copy(floats.segment(), ValueLayout.JAVA_FLOAT, 0, values, 0, values.length);
    }
    return values;
  }

  /**
   * Whole rows that were read already: {@code bytes} are the tensor's from {@code firstRow} on, as
   * many rows as the target has. The same errors as {@link #readFloats(TensorInfo, int, int,
   * FloatMatrix)}.
   */
  public void toFloats(TensorInfo tensor, int firstRow, MemorySegment bytes, FloatMatrix target) {
    checkMatrix(tensor);
    StoredMatrix matrix = StoredMatrix.of(tensor);
    plain.convert(matrix, firstRow * matrix.columns(), bytes, 0, target.elements(), target, 0);
  }

  private void checkMatrix(TensorInfo tensor) {
    int dimensions = tensor.shape().size();
    if (dimensions < 2 || dimensions > 3 || !tensor.dtype().isWeight()) {
      throw new CheckpointException(
          source.place(tensor)
              + ": expected a matrix of BF16, F16, F32 or F64, or a stack of them, found "
              + tensor.dtype()
              + " "
              + tensor.shape(),
          "Exclude this tensor, so that it is copied as it is.");
    }
  }

  @Override
  public void close() {
    arena.close();
  }
}

package io.cafeq.engine.evaluate;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.forward.ModelWeights;
import io.cafeq.engine.forward.Strands;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.memory.MatrixProducts;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Squared outputs of two matrices and of what is between them, from slabs of about half a million
 * weights.
 */
final class OutputSquares {
  private static final int SLAB = 1 << 19;

  /** Of one slab of weights. */
  static final long SLAB_BYTES = (long) SLAB * Float.BYTES;

  private static final int TILE = 4096;

  /**
   * Takes the sums of squares of one slab's outputs: those of the reference, and those of the
   * differences.
   */
  @FunctionalInterface
  interface Consumer {
    void accept(double outputs, double differences);
  }

  private final MatrixProducts products;
  private final float[] tile = new float[TILE];
  private final float[] other = new float[TILE];

  OutputSquares(MatrixProducts products) {
    this.products = products;
  }

  /**
   * ||x W^T||^2 and ||x (W - W')^T||^2, where W is the reference's matrix and W' the model's; the
   * difference is taken before the product, so that it does not drown in rounding.
   */
  void ofDifference(
      Arena arena,
      ModelWeights reference,
      ModelWeights model,
      String matrix,
      FloatMatrix x,
      Consumer consumer) {
    int rows = rows(reference, model, matrix);
    int together = Math.min(rows, rowsTogether(x.columns()));
    FloatMatrix weights = FloatMatrix.allocate(arena, together, x.columns());
    FloatMatrix others = FloatMatrix.allocate(arena, together, x.columns());
    MemorySegment room = arena.allocate((long) x.rows() * together * Float.BYTES, 64);
    for (int first = 0; first < rows; first += together) {
      int count = Math.min(together, rows - first);
      FloatMatrix slab = weights.slice(0, count);
      FloatMatrix difference = others.slice(0, count);
      reference.read(matrix, first, slab);
      model.read(matrix, first, difference);
      subtract(slab, difference);
      FloatMatrix outputs =
          new FloatMatrix(room.asSlice(0, (long) x.rows() * count * Float.BYTES), x.rows(), count);
      products.timesTransposed(x, slab, outputs);
      double square = squares(outputs);
      products.timesTransposed(x, difference, outputs);
      consumer.accept(square, squares(outputs));
    }
  }

  /** ||x W^T||^2 and ||x W^T - x' W'^T||^2. */
  void ofOutputs(
      Arena arena,
      ModelWeights reference,
      FloatMatrix x,
      ModelWeights model,
      FloatMatrix modelX,
      String matrix,
      Consumer consumer) {
    int rows = rows(reference, model, matrix);
    int together = Math.min(rows, rowsTogether(x.columns()));
    FloatMatrix weights = FloatMatrix.allocate(arena, together, x.columns());
    MemorySegment room = arena.allocate((long) x.rows() * together * Float.BYTES, 64);
    MemorySegment otherRoom = arena.allocate((long) x.rows() * together * Float.BYTES, 64);
    for (int first = 0; first < rows; first += together) {
      int count = Math.min(together, rows - first);
      FloatMatrix slab = weights.slice(0, count);
      FloatMatrix outputs =
          new FloatMatrix(room.asSlice(0, (long) x.rows() * count * Float.BYTES), x.rows(), count);
      FloatMatrix others =
          new FloatMatrix(
              otherRoom.asSlice(0, (long) x.rows() * count * Float.BYTES), x.rows(), count);
      reference.read(matrix, first, slab);
      products.timesTransposed(x, slab, outputs);
      model.read(matrix, first, slab);
      products.timesTransposed(modelX, slab, others);
      double square = squares(outputs);
      subtract(outputs, others);
      consumer.accept(square, squares(others));
    }
  }

  static int rowsTogether(int columns) {
    return Math.max(1, SLAB / columns);
  }

  private static int rows(ModelWeights reference, ModelWeights model, String matrix) {
    int rows = reference.rows(matrix);
    if (model.rows(matrix) != rows || model.columns(matrix) != reference.columns(matrix)) {
      throw new EngineException(
          FailureKind.USAGE,
          "tensor \""
              + matrix
              + "\" is ["
              + model.rows(matrix)
              + ", "
              + model.columns(matrix)
              + "], that of the reference ["
              + rows
              + ", "
              + reference.columns(matrix)
              + "]",
          "Compare with the checkpoint that the model was made from.");
    }
    return rows;
  }

  /** to = from - to. */
  private void subtract(FloatMatrix from, FloatMatrix to) {
    for (long at = 0; at < from.elements(); at += TILE) {
      int count = (int) Math.min(TILE, from.elements() - at);
      MemorySegment.copy(from.segment(), ValueLayout.JAVA_FLOAT, at * Float.BYTES, tile, 0, count);
      MemorySegment.copy(to.segment(), ValueLayout.JAVA_FLOAT, at * Float.BYTES, other, 0, count);
      for (int i = 0; i < count; i++) {
        other[i] = tile[i] - other[i];
      }
      MemorySegment.copy(other, 0, to.segment(), ValueLayout.JAVA_FLOAT, at * Float.BYTES, count);
    }
  }

  private double squares(FloatMatrix values) {
    double sum = 0;
    for (long at = 0; at < values.elements(); at += TILE) {
      int count = (int) Math.min(TILE, values.elements() - at);
      MemorySegment.copy(
          values.segment(), ValueLayout.JAVA_FLOAT, at * Float.BYTES, tile, 0, count);
      sum += Strands.squares(tile, 0, count);
    }
    return sum;
  }
}

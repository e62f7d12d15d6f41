package io.cafeq.engine.rounding;

import io.cafeq.config.Side;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.memory.MatrixProducts;
import io.cafeq.engine.memory.MatrixView;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/**
 * What errors in one factor of a pair, slab by slab and with the transform undone, do to the
 * layer's outputs while the other factor has none. Of the left factor a head's rows reach the
 * outputs through its heads on the right, o, so that they count by o^T o; of the right factor the
 * rows are the outputs. Borrows room of the given arena; not thread-safe.
 */
public final class FactorOutputs {
  private final Side side;
  private final int h;
  private final MatrixProducts products;
  private final List<double[]> grams;
  private final List<FloatMatrix> undo = new ArrayList<>();
  private final FloatMatrix room;
  private final OutputMeasure measure;

  /**
   * @param side OUTPUT for the left factor, INPUT for the right one
   * @param undo for each head of the factor what is multiplied with its rounded channels to give
   *     those of the original, [h, h] from the left (OUTPUT) or from the right (INPUT); empty where
   *     they are given as such
   * @param grams o^T o for each head of the left factor; empty for the right one
   * @param slabRows rows of a slab at most
   * @param isLeft whether it is the left one of the two factors
   */
  public FactorOutputs(
      PairInputs inputs,
      Arena arena,
      boolean isLeft,
      int h,
      int slabRows,
      List<double[]> undo,
      List<double[]> grams) {
    this.h = h;
    this.grams = grams;
    side = isLeft ? Side.OUTPUT : Side.INPUT;
    products = inputs.products();
    int columns = (isLeft ? inputs.left() : inputs.right()).channels();
    room = FloatMatrix.allocate(arena, isLeft ? h : slabRows, columns);
    measure =
        new OutputMeasure(
            isLeft ? inputs.left() : inputs.right(),
            inputs.damping(),
            products,
            arena,
            room.rows(),
            isLeft);
    for (double[] matrix : undo) {
      FloatMatrix floats = FloatMatrix.allocate(arena, h, h);
      for (int i = 0; i < matrix.length; i++) {
        floats.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) matrix[i]);
      }
      this.undo.add(floats);
    }
  }

  /** Native bytes that one takes at most, with the matrices of its heads. */
  public static long bytes(boolean isLeft, int h, int heads, int slabRows, int columns) {
    int rows = isLeft ? h : slabRows;
    return (long) Float.BYTES * ((long) rows * columns + (long) heads * h * h)
        + OutputMeasure.bytes(columns, rows, isLeft);
  }

  /** Mean squares of the outputs of original rows. */
  public double norm(FloatMatrix slab, int firstHead) {
    return switch (side) {
      case OUTPUT -> {
        double sum = 0;
        for (int i = 0; i < slab.rows() / h; i++) {
          sum += measure.of(slab.slice(i * h, h), grams.get(firstHead + i));
        }
        yield sum;
      }
      case INPUT -> measure.of(slab);
    };
  }

  /** Mean squares of the outputs' errors that rounded rows make. */
  public double error(FloatMatrix slab, FloatMatrix rounded, int firstHead) {
    return switch (side) {
      case OUTPUT -> {
        double sum = 0;
        for (int i = 0; i < slab.rows() / h; i++) {
          FloatMatrix e = copy(slab.slice(i * h, h));
          subtract(rounded.slice(i * h, h), firstHead + i, e);
          sum += measure.of(e, grams.get(firstHead + i));
        }
        yield sum;
      }
      case INPUT -> {
        FloatMatrix e = copy(slab);
        subtract(rounded, 0, e);
        yield measure.of(e);
      }
    };
  }

  private FloatMatrix copy(FloatMatrix slab) {
    FloatMatrix e = room.slice(0, slab.rows());
    MemorySegment.copy(slab.segment(), 0, e.segment(), 0, slab.elements() * Float.BYTES);
    return e;
  }

  /** Replaces the original in {@code e} by what the rounded rows stand for minus it. */
  private void subtract(FloatMatrix rounded, int firstHead, FloatMatrix e) {
    if (undo.isEmpty()) {
      for (long i = 0; i < e.elements(); i++) {
        float difference =
            rounded.segment().getAtIndex(ValueLayout.JAVA_FLOAT, i)
                - e.segment().getAtIndex(ValueLayout.JAVA_FLOAT, i);
        e.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, difference);
      }
      return;
    }
    switch (side) {
      case OUTPUT ->
          products.multiply(
              1,
              MatrixView.of(undo.get(firstHead)),
              false,
              MatrixView.of(rounded),
              false,
              -1,
              MatrixView.of(e));
      case INPUT -> {
        for (int head = 0; head < undo.size(); head++) {
          products.multiply(
              1,
              MatrixView.columns(rounded, head * h, h),
              false,
              MatrixView.of(undo.get(head)),
              false,
              -1,
              MatrixView.columns(e, head * h, h));
        }
      }
    }
  }
}

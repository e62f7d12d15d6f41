package io.cafeq.engine.rounding;

import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.memory.MatrixProducts;
import io.cafeq.engine.memory.MatrixView;
import io.cafeq.engine.statistics.InputMoments;
import io.cafeq.engine.transform.SquareMatrices;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * What rows of weights, or errors in them, do to outputs: with E [rows, in] and H the damped second
 * moments of the inputs, the mean square of E x. Borrows the moments, the products, and room of the
 * given arena; not thread-safe.
 */
public final class OutputMeasure {
  private final InputMoments moments;
  private final float added;
  private final MatrixProducts products;
  private final FloatMatrix room;
  private final FloatMatrix between;
  private final float[] row;
  private final float[] product;

  /**
   * @param damping part of the mean diagonal of H that is added to it
   * @param rows of E at most
   * @param weighted whether {@link #of(FloatMatrix, double[])} will be asked for, with as many rows
   */
  public OutputMeasure(
      InputMoments moments,
      double damping,
      MatrixProducts products,
      Arena arena,
      int rows,
      boolean weighted) {
    this.moments = moments;
    this.products = products;
    added = (float) (damping * moments.meanDiagonal());
    int widest = widest(moments);
    room = FloatMatrix.allocate(arena, rows, widest);
    between = FloatMatrix.allocate(arena, weighted ? rows : 1, weighted ? rows : 1);
    row = new float[widest];
    product = new float[widest];
  }

  private static int widest(InputMoments moments) {
    return moments.blocks().stream().mapToInt(InputMoments.Block::channels).max().orElse(1);
  }

  /** Native bytes that a measure of any moments takes at most. */
  public static long bytes(int channels, int rows, boolean weighted) {
    return (long) Float.BYTES * rows * channels + (weighted ? (long) Float.BYTES * rows * rows : 0);
  }

  /** tr(E H E^T): the mean squares of all outputs together. */
  public double of(FloatMatrix e) {
    double sum = 0;
    for (InputMoments.Block block : moments.blocks()) {
      MatrixView y = timesMoments(e, block);
      for (int i = 0; i < e.rows(); i++) {
        read(e, i, block.firstChannel(), row, block.channels());
        read(room, i, 0, product, y.columns());
        for (int c = 0; c < block.channels(); c++) {
          sum += (double) row[c] * (product[c] + (double) added * row[c]);
        }
      }
    }
    return sum;
  }

  /**
   * tr(G E H E^T): outputs that are multiplied with something whose Gram matrix is G [rows, rows],
   * row-major, symmetric.
   */
  public double of(FloatMatrix e, double[] g) {
    MatrixView all = new MatrixView(between, 0, 0, e.rows(), e.rows());
    boolean isFirst = true;
    for (InputMoments.Block block : moments.blocks()) {
      MatrixView y = timesMoments(e, block);
      MatrixView own = MatrixView.columns(e, block.firstChannel(), block.channels());
      products.multiply(1, y, false, own, true, isFirst ? 0 : 1, all);
      isFirst = false;
    }
    products.multiply(added, MatrixView.of(e), false, MatrixView.of(e), true, 1, all);
    double[] forms = new double[e.rows() * e.rows()];
    for (int i = 0; i < e.rows(); i++) {
      for (int j = 0; j < e.rows(); j++) {
        forms[i * e.rows() + j] = between.get(i, j);
      }
    }
    return SquareMatrices.dot(g, forms);
  }

  /** E H for the columns of one block, in {@link #room}. */
  private MatrixView timesMoments(FloatMatrix e, InputMoments.Block block) {
    MatrixView y = new MatrixView(room, 0, 0, e.rows(), block.channels());
    MatrixView own = MatrixView.columns(e, block.firstChannel(), block.channels());
    products.multiply(1, own, false, MatrixView.of(block.moments()), false, 0, y);
    return y;
  }

  private static void read(FloatMatrix from, int i, int first, float[] to, int count) {
    long at = Float.BYTES * ((long) i * from.columns() + first);
    MemorySegment.copy(from.segment(), ValueLayout.JAVA_FLOAT, at, to, 0, count);
  }
}

package io.cafeq.engine.rounding;

import io.cafeq.engine.memory.DoubleMatrix;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.memory.MatrixProducts;
import io.cafeq.engine.memory.MatrixView;
import io.cafeq.engine.statistics.InputMoments;
import io.cafeq.engine.transform.BlockTransform;
import io.cafeq.engine.transform.SquareMatrices;
import io.cafeq.engine.transform.StoredTransform;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/**
 * P^T H P for some consecutive blocks of a transform, made k columns at a time: Y = H P_b, then
 * P_a^T Y for each a up to b. Borrows the moments; the arena owns its copies of P.
 */
final class TransformedMatrix implements MetricFactors.Matrix {
  private final List<InputMoments.Block> moments;
  private final List<BlockTransform> blocks;
  private final List<FloatMatrix> inverses = new ArrayList<>();
  private final MatrixProducts products;
  private final int first;
  private final int channels;

  TransformedMatrix(
      List<InputMoments.Block> moments,
      List<BlockTransform> blocks,
      MatrixProducts products,
      Arena arena) {
    this.moments = moments;
    this.blocks = blocks;
    this.products = products;
    first = blocks.getFirst().firstChannel();
    channels = blocks.stream().mapToInt(BlockTransform::k).sum();
    for (BlockTransform block : blocks) {
      FloatMatrix inverse = FloatMatrix.allocate(arena, block.k(), block.k());
      float[] p = inverse(block);
      MemorySegment.copy(p, 0, inverse.segment(), ValueLayout.JAVA_FLOAT, 0, p.length);
      inverses.add(inverse);
    }
  }

  /** P as it is stored, or the inverse of a map that is folded away. */
  private static float[] inverse(BlockTransform block) {
    return block
        .stored()
        .map(StoredTransform::inverse)
        .orElseGet(
            () -> {
              int k = block.k();
              double[] p = SquareMatrices.invert(block.exactForward(), k);
              // A map without an inverse makes V of zeros, in which nothing is rounded.
              double[] usable = SquareMatrices.isFinite(p) ? p : SquareMatrices.identity(k);
              float[] floats = new float[k * k];
              for (int i = 0; i < floats.length; i++) {
                floats[i] = (float) usable[i];
              }
              return floats;
            });
  }

  @Override
  public int firstChannel() {
    return first;
  }

  @Override
  public int channels() {
    return channels;
  }

  @Override
  public double[] diagonal(double raised) {
    double[] diagonal = new double[channels];
    try (Arena arena = Arena.ofConfined()) {
      for (int b = 0; b < blocks.size(); b++) {
        int k = blocks.get(b).k();
        int start = blocks.get(b).firstChannel();
        FloatMatrix y = FloatMatrix.allocate(arena, k, k);
        FloatMatrix z = FloatMatrix.allocate(arena, k, k);
        timesInverse(start, k, b, raised, y, z);
        products.multiply(
            1, MatrixView.of(inverses.get(b)), true, MatrixView.of(z), false, 0, MatrixView.of(y));
        for (int i = 0; i < k; i++) {
          diagonal[start - first + i] = y.get(i, i);
        }
      }
    }
    return diagonal;
  }

  @Override
  public void fill(double raised, int[] order, DoubleMatrix to) {
    int[] places = new int[channels];
    for (int place = 0; place < channels; place++) {
      places[order[place]] = place;
    }
    int widest = blocks.stream().mapToInt(BlockTransform::k).max().orElseThrow();
    try (Arena arena = Arena.ofConfined()) {
      FloatMatrix columns = FloatMatrix.allocate(arena, channels, widest);
      FloatMatrix multiplied = FloatMatrix.allocate(arena, channels, widest);
      FloatMatrix corner = FloatMatrix.allocate(arena, widest, widest);
      for (int b = 0; b < blocks.size(); b++) {
        int k = blocks.get(b).k();
        int at = blocks.get(b).firstChannel() - first;
        int rows = at + k;
        FloatMatrix y = new FloatMatrix(multiplied.segment(), rows, k);
        timesInverse(first, rows, b, raised, new FloatMatrix(columns.segment(), rows, k), y);
        for (int a = 0; a <= b; a++) {
          int height = blocks.get(a).k();
          int above = blocks.get(a).firstChannel() - first;
          FloatMatrix z = new FloatMatrix(corner.segment(), height, k);
          products.multiply(
              1,
              MatrixView.of(inverses.get(a)),
              true,
              new MatrixView(y, above, 0, height, k),
              false,
              0,
              MatrixView.of(z));
          place(z, places, above, at, to);
        }
      }
    }
  }

  /** Entries on or above the diagonal, each to where the order of channels puts it. */
  private static void place(FloatMatrix z, int[] places, int above, int at, DoubleMatrix to) {
    for (int i = 0; i < z.rows(); i++) {
      for (int j = above == at ? i : 0; j < z.columns(); j++) {
        int one = places[above + i];
        int other = places[at + j];
        to.set(Math.min(one, other), Math.max(one, other), z.get(i, j));
      }
    }
  }

  /**
   * to = rows [firstRow, firstRow + rows) of (H + raised I) P_b; {@code columns} is room for those
   * of H.
   */
  private void timesInverse(
      int firstRow, int rows, int b, double raised, FloatMatrix columns, FloatMatrix to) {
    BlockTransform block = blocks.get(b);
    int k = block.k();
    int start = block.firstChannel();
    columns.segment().asSlice(0, columns.elements() * Float.BYTES).fill((byte) 0);
    for (InputMoments.Block each : moments) {
      int end = each.firstChannel() + each.channels();
      int left = Math.max(start, each.firstChannel());
      int width = Math.min(start + k, end) - left;
      int top = Math.max(firstRow, each.firstChannel());
      int bottom = Math.min(firstRow + rows, end);
      for (int row = top; row < bottom && width > 0; row++) {
        long from =
            (long) (row - each.firstChannel()) * each.channels() + left - each.firstChannel();
        long target = (long) (row - firstRow) * k + left - start;
        MemorySegment.copy(
            each.moments().segment(),
            Float.BYTES * from,
            columns.segment(),
            Float.BYTES * target,
            (long) Float.BYTES * width);
      }
    }
    for (int i = Math.max(firstRow, start); i < Math.min(firstRow + rows, start + k); i++) {
      columns.set(i - firstRow, i - start, (float) (columns.get(i - firstRow, i - start) + raised));
    }
    products.multiply(
        1,
        MatrixView.of(columns),
        false,
        MatrixView.of(inverses.get(b)),
        false,
        0,
        MatrixView.of(to));
  }
}

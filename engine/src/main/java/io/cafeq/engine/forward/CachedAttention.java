package io.cafeq.engine.forward;

import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.memory.MatrixProducts;
import io.cafeq.engine.memory.MatrixView;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;

/**
 * Attention of one new token in each of several windows, with the keys and values of all earlier
 * ones. The arena owns the caches; not thread-safe.
 */
final class CachedAttention implements Attending {
  private final DecoderShape shape;
  private final MatrixProducts products;
  private final Workspace workspace;
  private final SoftmaxRows softmax;
  private final int length;
  private final List<FloatMatrix> keys = new ArrayList<>();
  private final List<FloatMatrix> values = new ArrayList<>();
  private int position;

  /**
   * @param length most tokens of a window
   */
  CachedAttention(
      DecoderShape shape,
      MatrixProducts products,
      Workspace workspace,
      Arena arena,
      int windows,
      int length) {
    this.shape = shape;
    this.products = products;
    this.workspace = workspace;
    this.length = length;
    softmax = new SoftmaxRows(shape.attention().cap(), length);
    for (int layer = 0; layer < shape.layers().size(); layer++) {
      keys.add(
          FloatMatrix.allocate(
              arena, Math.multiplyExact(windows, length), shape.attention().keyWidth()));
      values.add(
          FloatMatrix.allocate(
              arena, Math.multiplyExact(windows, length), shape.attention().keyWidth()));
    }
  }

  /** Bytes of the caches of all layers. */
  static long bytes(DecoderShape shape, int windows, int length) {
    return 2L
        * shape.layers().size()
        * Workspace.bytes((long) windows * length, shape.attention().keyWidth());
  }

  /** What comes next are the tokens of that position. */
  void enter(int next) {
    position = next;
  }

  @Override
  public int position(int token) {
    return position;
  }

  @Override
  public void attend(int layer, FloatMatrix q, FloatMatrix k, FloatMatrix v, FloatMatrix result) {
    DecoderShape.Attention sizes = shape.attention();
    int size = sizes.size();
    FloatMatrix allKeys = keys.get(layer);
    FloatMatrix allValues = values.get(layer);
    // A row of heads is a matrix of heads, so that the heads that share a key go through one
    // product.
    FloatMatrix heads = new FloatMatrix(q.segment(), q.rows() * sizes.queries(), size);
    FloatMatrix results = new FloatMatrix(result.segment(), q.rows() * sizes.queries(), size);
    int window = shape.layers().get(layer).window();
    int from = window > position ? 0 : position - window + 1;
    long mark = workspace.mark();
    FloatMatrix scores = workspace.matrix(sizes.group(), position + 1);
    for (int row = 0; row < q.rows(); row++) {
      int first = row * length;
      Rows.copy(k, row, allKeys, first + position);
      Rows.copy(v, row, allValues, first + position);
      for (int keyValue = 0; keyValue < sizes.keyValues(); keyValue++) {
        int head = row * sizes.queries() + keyValue * sizes.group();
        products.multiply(
            (float) sizes.scale(),
            new MatrixView(heads, head, 0, sizes.group(), size),
            false,
            new MatrixView(allKeys, first, keyValue * size, position + 1, size),
            true,
            0,
            MatrixView.of(scores));
        for (int line = 0; line < sizes.group(); line++) {
          softmax.apply(scores, line, from, position + 1);
        }
        products.multiply(
            1,
            MatrixView.of(scores),
            false,
            new MatrixView(allValues, first, keyValue * size, position + 1, size),
            false,
            0,
            new MatrixView(results, head, 0, sizes.group(), size));
      }
    }
    workspace.release(mark);
  }
}

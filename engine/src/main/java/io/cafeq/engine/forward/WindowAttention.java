package io.cafeq.engine.forward;

import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.memory.MatrixProducts;
import io.cafeq.engine.memory.MatrixView;

/** Attention within each window of a chunk, all its positions at once. Not thread-safe. */
final class WindowAttention implements Attending {
  private final DecoderShape shape;
  private final MatrixProducts products;
  private final Workspace workspace;
  private final SoftmaxRows softmax;
  private Chunk chunk;

  /**
   * @param longest most tokens of a window
   */
  WindowAttention(
      DecoderShape shape, MatrixProducts products, Workspace workspace, Chunk first, int longest) {
    this.shape = shape;
    this.products = products;
    this.workspace = workspace;
    this.softmax = new SoftmaxRows(shape.attention().cap(), longest);
    this.chunk = first;
  }

  /** What comes next belongs to another chunk. */
  void enter(Chunk next) {
    chunk = next;
  }

  @Override
  public int position(int token) {
    return chunk.position(token);
  }

  @Override
  public void attend(
      int layer, FloatMatrix queries, FloatMatrix keys, FloatMatrix values, FloatMatrix result) {
    DecoderShape.Attention sizes = shape.attention();
    int window = shape.layers().get(layer).window();
    int size = sizes.size();
    int first = 0;
    for (int length : chunk.lengths()) {
      long mark = workspace.mark();
      FloatMatrix scores = workspace.matrix(length, length);
      for (int head = 0; head < sizes.queries(); head++) {
        int group = head / sizes.group() * size;
        products.multiply(
            (float) sizes.scale(),
            new MatrixView(queries, first, head * size, length, size),
            false,
            new MatrixView(keys, first, group, length, size),
            true,
            0,
            MatrixView.of(scores));
        for (int query = 0; query < length; query++) {
          softmax.apply(scores, query, window > query ? 0 : query - window + 1, query + 1);
        }
        products.multiply(
            1,
            MatrixView.of(scores),
            false,
            new MatrixView(values, first, group, length, size),
            false,
            0,
            new MatrixView(result, first, head * size, length, size));
      }
      workspace.release(mark);
      first += length;
    }
  }
}

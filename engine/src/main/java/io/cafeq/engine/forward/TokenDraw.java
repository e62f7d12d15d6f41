package io.cafeq.engine.forward;

import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Draws tokens with the probabilities softmax(logits). Keeps one sum for each tile of the
 * vocabulary; not thread-safe.
 */
final class TokenDraw {
  private static final int TILE = 4096;

  private final int vocabulary;
  private final double[] sums;
  private final float[] row = new float[TILE];
  private final double[] values = new double[TILE];

  TokenDraw(int vocabulary) {
    this.vocabulary = vocabulary;
    this.sums = new double[Math.ceilDiv(vocabulary, TILE)];
  }

  /**
   * @param logits [windows, vocabulary]
   * @param uniform in [0, 1)
   */
  int from(FloatMatrix logits, int window, double uniform) {
    double largest = Double.NEGATIVE_INFINITY;
    for (int tile = 0; tile < sums.length; tile++) {
      largest = Math.max(largest, SoftmaxRows.largest(values, load(logits, window, tile)));
    }
    double all = 0;
    for (int tile = 0; tile < sums.length; tile++) {
      sums[tile] = Strands.sum(values, exponentials(logits, window, tile, largest));
      all += sums[tile];
    }
    double left = uniform * all;
    int tile = 0;
    while (tile < sums.length - 1 && left >= sums[tile]) {
      left -= sums[tile++];
    }
    int count = exponentials(logits, window, tile, largest);
    int entry = 0;
    while (entry < count - 1 && left >= values[entry]) {
      left -= values[entry++];
    }
    return tile * TILE + entry;
  }

  private int exponentials(FloatMatrix logits, int window, int tile, double largest) {
    int count = load(logits, window, tile);
    SoftmaxRows.shift(values, count, largest);
    Exponentials.apply(values, count);
    return count;
  }

  private int load(FloatMatrix logits, int window, int tile) {
    int count = Math.min(TILE, vocabulary - tile * TILE);
    long at = ((long) window * vocabulary + (long) tile * TILE) * Float.BYTES;
    MemorySegment.copy(logits.segment(), ValueLayout.JAVA_FLOAT, at, row, 0, count);
    for (int i = 0; i < count; i++) {
      values[i] = row[i];
    }
    return count;
  }
}

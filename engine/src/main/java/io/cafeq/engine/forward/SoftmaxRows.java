package io.cafeq.engine.forward;

import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * Softmax of rows of scores over the positions that a query sees; sums in double. Not thread-safe.
 */
final class SoftmaxRows {
  private final double cap;
  private final float[] row;
  private final double[] values;

  /**
   * @param cap c in c tanh(score / c); 0 for none
   * @param longest most columns of a matrix of scores
   */
  SoftmaxRows(double cap, int longest) {
    this.cap = cap;
    this.row = new float[longest];
    this.values = new double[longest];
  }

  /** In place: shares that add up to 1 over the columns [from, to) of a row, 0 in all others. */
  void apply(FloatMatrix scores, int line, int from, int to) {
    int columns = scores.columns();
    int count = to - from;
    long at = (long) line * columns * Float.BYTES;
    MemorySegment.copy(
        scores.segment(), ValueLayout.JAVA_FLOAT, at + (long) from * Float.BYTES, row, 0, count);
    widen(row, values, count);
    if (cap != 0) {
      capped(values, count, cap);
    }
    double largest = largest(values, count);
    shift(values, count, largest);
    Exponentials.apply(values, count);
    float factor = (float) (1 / Strands.sum(values, count));
    Arrays.fill(row, 0, columns, 0);
    for (int i = 0; i < count; i++) {
      row[from + i] = (float) values[i] * factor;
    }
    MemorySegment.copy(row, 0, scores.segment(), ValueLayout.JAVA_FLOAT, at, columns);
  }

  private static void widen(float[] from, double[] to, int count) {
    for (int i = 0; i < count; i++) {
      to[i] = from[i];
    }
  }

  /** c tanh(x / c) = c - 2 c / (1 + e^(2 x / c)) */
  static void capped(double[] x, int count, double cap) {
    double doubled = 2 / cap;
    for (int i = 0; i < count; i++) {
      x[i] *= doubled;
    }
    Exponentials.apply(x, count);
    double both = 2 * cap;
    for (int i = 0; i < count; i++) {
      x[i] = cap - both / (1 + x[i]);
    }
  }

  static double largest(double[] x, int count) {
    double largest = Double.NEGATIVE_INFINITY;
    for (int i = 0; i < count; i++) {
      largest = x[i] > largest ? x[i] : largest;
    }
    return largest;
  }

  static void shift(double[] x, int count, double by) {
    for (int i = 0; i < count; i++) {
      x[i] -= by;
    }
  }
}

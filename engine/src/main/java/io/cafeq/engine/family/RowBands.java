package io.cafeq.engine.family;

import java.util.List;

/**
 * Rows of one matrix at equal distances, such as the values of all heads within a fused matrix: of
 * band b the rows [first + b * stride, first + b * stride + size).
 *
 * @param first row of the first band
 * @param size rows of a band
 * @param stride from the first row of a band to that of the next, at least {@code size}
 * @param count bands, at least 1
 */
public record RowBands(int first, int size, int stride, int count) {
  public RowBands {
    if (first < 0 || size < 1 || stride < size || count < 1) {
      throw new IllegalArgumentException(
          count + " bands of " + size + " rows every " + stride + " from " + first);
    }
  }

  /** Consecutive rows. */
  public static RowBands of(int first, int count) {
    return new RowBands(first, count, count, 1);
  }

  /** Bands of some size that begin there, at equal distances. */
  static RowBands of(List<Integer> first, int size) {
    int stride = first.size() > 1 ? first.get(1) - first.getFirst() : size;
    return new RowBands(first.getFirst(), size, stride, first.size());
  }

  /** Rows in all. */
  public int rows() {
    return size * count;
  }

  /** After the last row. */
  public int end() {
    return first + (count - 1) * stride + size;
  }

  /** The place of a matrix's row among these, or -1. */
  public int place(int row) {
    int from = row - first;
    int band = from / stride;
    int within = from - band * stride;
    return from >= 0 && band < count && within < size ? band * size + within : -1;
  }
}

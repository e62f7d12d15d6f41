package io.cafeq.engine.family;

import java.util.List;
import java.util.function.IntUnaryOperator;
import java.util.stream.IntStream;

/**
 * Where the heads of one layer are. Rows are counted as [out, in] has them, however a tensor is
 * stored.
 *
 * @param output the matrix that reads the heads' values side by side, query head after query head
 * @param group query heads that share a key-value head
 */
record Heads(Part query, Part key, Part value, String output, int group) {
  /**
   * The rows of one kind.
   *
   * @param matrix name after the layer's number
   * @param rows all rows that the matrix must have
   * @param size rows of a head
   * @param first the first row of each head
   */
  record Part(String matrix, int rows, int size, List<Integer> first) {
    Part {
      first = List.copyOf(first);
    }

    /** Heads at equal distances. */
    static Part of(String matrix, int rows, int size, int heads, int start, int stride) {
      return new Part(
          matrix,
          rows,
          size,
          IntStream.range(0, heads).mapToObj(head -> start + head * stride).toList());
    }
  }

  /** Columns that the output matrix must have. */
  int outputColumns() {
    return query.first().size() * value.size();
  }

  /** For each key-value head the places of its query heads, found by their number. */
  List<Integer> ofGroup(int keyValueHead, IntUnaryOperator place) {
    return IntStream.range(0, group)
        .map(i -> place.applyAsInt(keyValueHead * group + i))
        .boxed()
        .toList();
  }
}

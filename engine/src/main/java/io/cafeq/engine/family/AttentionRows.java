package io.cafeq.engine.family;

/**
 * Where queries, values and what reads the attended values are in one layer.
 *
 * @param query full name of the tensor that holds queries
 * @param queries its rows of queries, counted as [out, in] has them
 * @param value full name of the tensor that holds values
 * @param values its rows of values; a band is a key-value head
 * @param output full name of the matrix that reads the heads' values side by side
 * @param group query heads that share a key-value head
 */
public record AttentionRows(
    String query, RowBands queries, String value, RowBands values, String output, int group) {
  /** The value row that an input channel of the output matrix averages over tokens. */
  public int valueOf(int channel) {
    int head = channel / values.size() / group;
    return head * values.size() + channel % values.size();
  }
}

package io.cafeq.engine.family;

import java.util.List;
import java.util.Optional;

/**
 * Two matrices of one layer that allow a pair: head by head, an invertible map can be moved between
 * them without changing the model: left' = M left on the rows of a head, and its inverse on what
 * meets those rows. Nothing runs for it at inference.
 *
 * @param left tensor name: values (rows [head] of V, perhaps within a fused tensor), or keys
 * @param leftBias 1-D tensor with an entry for every row of the left tensor, transformed with it
 * @param right tensor name: the attention's output matrix, or queries
 * @param rightBias query bias, transformed with the right matrix; the bias of an output matrix is
 *     not touched
 */
public record Coupling(
    Kind kind,
    String left,
    Optional<String> leftBias,
    String right,
    Optional<String> rightBias,
    List<Head> heads) {

  /**
   * The most channels of a head: learning, rounding and proving a pair take the square of that for
   * each head.
   */
  public static final int LARGEST_HEAD = 1024;

  /** What meets what. */
  public enum Kind {
    /** V and O: the inverse goes onto columns of the right matrix, right' = right M^-1. */
    VALUE_OUTPUT("value-output"),
    /**
     * K and Q without rotary embedding between them: onto rows of the right matrix, right' = M^-T
     * right.
     */
    QUERY_KEY("query-key");

    private final String text;

    Kind(String text) {
      this.text = text;
    }

    /** The name in result files. */
    public String text() {
      return text;
    }
  }

  /**
   * One key-value head with all query heads of its group.
   *
   * @param size channels of a head, h
   * @param left first row of the head in the left matrix
   * @param right first column (VALUE_OUTPUT) or row (QUERY_KEY) of each query head in the right
   *     matrix
   */
  public record Head(int size, int left, List<Integer> right) {
    public Head {
      right = List.copyOf(right);
      if (size < 1 || left < 0 || right.isEmpty() || right.stream().anyMatch(first -> first < 0)) {
        throw new IllegalArgumentException(
            "a head of " + size + " channels at " + left + " with " + right);
      }
    }
  }

  public Coupling {
    heads = List.copyOf(heads);
    if (heads.isEmpty()) {
      throw new IllegalArgumentException(left + " and " + right + " have no heads in common");
    }
  }
}

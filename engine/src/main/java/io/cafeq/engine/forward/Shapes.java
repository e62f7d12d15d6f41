package io.cafeq.engine.forward;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;

/** Holds tensors to the shapes that config.json leads to expect. */
public final class Shapes {
  private static final String CONFIG = "config.json leads";

  private Shapes() {}

  /** Throws where a matrix is not [rows, columns]. */
  static void require(ModelWeights weights, String tensor, int rows, int columns) {
    require(weights, tensor, rows, columns, CONFIG);
  }

  /**
   * @param source what the shape is expected after, with its verb
   */
  static void require(ModelWeights weights, String tensor, int rows, int columns, String source) {
    int foundRows = weights.rows(tensor);
    int foundColumns = weights.columns(tensor);
    if (foundRows != rows || foundColumns != columns) {
      throw failure(
          tensor,
          source,
          "[" + rows + ", " + columns + "]",
          "[" + foundRows + ", " + foundColumns + "]");
    }
  }

  /** Throws where a vector has not that many entries. */
  public static void requireLength(String tensor, int length, long found) {
    if (found != length) {
      throw failure(tensor, CONFIG, "[" + length + "]", "[" + found + "]");
    }
  }

  private static EngineException failure(
      String tensor, String source, String expected, String found) {
    return new EngineException(
        FailureKind.CHECKPOINT,
        "tensor \""
            + tensor
            + "\": "
            + source
            + " to expect the shape "
            + expected
            + ", found "
            + found,
        "Download the checkpoint again, config.json included.");
  }
}

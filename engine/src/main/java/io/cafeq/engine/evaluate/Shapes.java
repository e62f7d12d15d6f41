package io.cafeq.engine.evaluate;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;

/** Holds tensors to the shapes that config.json leads to expect. */
final class Shapes {
  private Shapes() {}

  /** Throws where a matrix is not [rows, columns]. */
  static void require(ModelWeights weights, String tensor, int rows, int columns) {
    int foundRows = weights.rows(tensor);
    int foundColumns = weights.columns(tensor);
    if (foundRows != rows || foundColumns != columns) {
      throw failure(tensor, "[" + rows + ", " + columns + "]", "[" + foundRows + ", " + foundColumns + "]");
    }
  }

  /** A vector of that length. */
  static float[] vector(ModelWeights weights, String tensor, int length) {
    float[] values = weights.vector(tensor);
    if (values.length != length) {
      throw failure(tensor, "[" + length + "]", "[" + values.length + "]");
    }
    return values;
  }

  private static EngineException failure(String tensor, String expected, String found) {
    return new EngineException(
        FailureKind.CHECKPOINT,
        "tensor \"" + tensor + "\": config.json leads to expect the shape " + expected + ", found " + found,
        "Download the checkpoint again, config.json included.");
  }
}

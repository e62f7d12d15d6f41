package io.cafeq.engine.forward;

import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.memory.MatrixProducts;
import io.cafeq.engine.memory.MatrixView;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * y = x W^T + b for all tokens at once, slab by slab of W.
 *
 * @param weight full name of W [out, in]
 * @param out output channels
 * @param in input channels
 * @param bias b; of no length where there is none
 */
record LinearMap(String weight, int out, int in, float[] bias) {
  /** A matrix of the model, with the bias that stands beside it, of the sizes that are expected. */
  static LinearMap read(ModelWeights weights, String weight, int out, int in) {
    Shapes.require(weights, weight, out, in);
    String bias = weight.substring(0, weight.length() - "weight".length()) + "bias";
    return new LinearMap(
        weight, out, in, weights.has(bias) ? weights.vector(bias, out) : new float[0]);
  }

  /**
   * @param x [tokens, in], y [tokens, out]
   */
  void apply(WeightSlabs slabs, MatrixProducts products, FloatMatrix x, FloatMatrix y) {
    slabs.forEach(
        weight,
        (first, rows) ->
            products.multiply(
                1,
                MatrixView.of(x),
                false,
                MatrixView.of(rows),
                true,
                0,
                MatrixView.columns(y, first, rows.rows())));
    if (bias.length > 0) {
      addBias(y);
    }
  }

  private void addBias(FloatMatrix y) {
    float[] row = new float[out];
    for (int token = 0; token < y.rows(); token++) {
      long at = (long) token * out * Float.BYTES;
      MemorySegment.copy(y.segment(), ValueLayout.JAVA_FLOAT, at, row, 0, out);
      for (int i = 0; i < out; i++) {
        row[i] += bias[i];
      }
      MemorySegment.copy(row, 0, y.segment(), ValueLayout.JAVA_FLOAT, at, out);
    }
  }
}

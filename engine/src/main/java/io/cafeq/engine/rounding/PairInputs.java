package io.cafeq.engine.rounding;

import io.cafeq.engine.memory.MatrixProducts;
import io.cafeq.engine.statistics.InputMoments;
import io.cafeq.engine.transform.BlockTransform;
import java.lang.foreign.Arena;
import java.util.List;

/**
 * What the factors of a pair of values and outputs are multiplied with. Borrows everything; not
 * thread-safe.
 *
 * @param left second moments of the layer's input, which values are made of
 * @param right second moments of what the outputs' matrix reads: the mixed values of all query
 *     heads, in the order of its columns
 * @param leftMetric of the left factor's columns
 * @param damping part of the mean diagonal of moments that is added to it
 * @param arena that owns the right factor's metrics
 */
public record PairInputs(
    InputMoments left,
    InputMoments right,
    InputMetric leftMetric,
    double damping,
    MatrixProducts products,
    Arena arena) {

  /**
   * @param arena that owns all metrics, until {@link #in}
   */
  public static PairInputs of(
      InputMoments left, InputMoments right, double damping, MatrixProducts products, Arena arena) {
    return new PairInputs(
        left, right, InputMetric.of(left, damping, products, arena), damping, products, arena);
  }

  /** The same with another owner of what is made from now on. */
  public PairInputs in(Arena other) {
    return new PairInputs(left, right, leftMetric, damping, products, other);
  }

  /** The metric of the right factor's columns as transformed. */
  InputMetric rightMetric(List<BlockTransform> blocks) {
    try (Arena room = Arena.ofConfined()) {
      return InputMetric.of(right, damping, products, room).under(blocks, products, arena);
    }
  }
}

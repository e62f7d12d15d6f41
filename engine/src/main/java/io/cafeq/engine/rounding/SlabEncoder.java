package io.cafeq.engine.rounding;

import io.cafeq.engine.grid.EncodedSlab;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.grid.SlabBuffers;
import io.cafeq.engine.memory.FloatMatrix;

/** Rounds slabs of weights. Owns its scratch memory; not thread-safe. */
public interface SlabEncoder extends AutoCloseable {
  /**
   * Rounds consecutive rows of a matrix.
   *
   * @param weights [rows, in]; borrowed. With output-side transforms these are exactly the rows of
   *     the given blocks.
   * @param transforms the blocks to apply: all of the input's, or those of the slab's rows, or none
   * @param metric along the columns of what is rounded: of the weights' input without a transform
   *     and with one on the output side, {@link InputMetric#under} the same blocks with one on the
   *     input side; NONE where all columns count alike
   * @param rule how codes are chosen; a stochastic one starts at the first row of {@code weights}
   * @param buffers where the slab goes; borrowed by the result
   */
  EncodedSlab encode(
      FloatMatrix weights,
      GridSpec grid,
      SlabTransforms transforms,
      InputMetric metric,
      RoundingRule rule,
      SlabBuffers buffers);

  /**
   * Errors of nearest rounding without a transform on grids that were chosen without the metric.
   */
  RoundingErrors plainError(FloatMatrix weights, GridSpec grid, InputMetric metric);

  /**
   * Errors of what {@link #encode} would give without a transform, but by a stochastic rule without
   * a metric: that draws nothing here and takes the nearest level.
   */
  RoundingErrors metricError(
      FloatMatrix weights, GridSpec grid, InputMetric metric, RoundingRule rule);

  @Override
  void close();
}

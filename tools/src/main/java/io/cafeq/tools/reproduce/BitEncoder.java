package io.cafeq.tools.reproduce;

import io.cafeq.config.Side;
import io.cafeq.engine.grid.EncodedSlab;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.grid.SlabBuffers;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.rounding.InputMetric;
import io.cafeq.engine.rounding.RoundingErrors;
import io.cafeq.engine.rounding.RoundingRule;
import io.cafeq.engine.rounding.SlabEncoder;
import io.cafeq.engine.rounding.SlabTransforms;
import io.cafeq.engine.transform.BlockTransform;

/**
 * Rounds every entry to 0 or 1, which no grid of a range does: for the paper's toy product. Scale
 * 1, zero point 0.
 */
final class BitEncoder implements SlabEncoder {
  private static final short ONE = 0x3C00;

  @Override
  public EncodedSlab encode(
      FloatMatrix weights,
      GridSpec grid,
      SlabTransforms transforms,
      InputMetric metric,
      RoundingRule rule,
      SlabBuffers buffers) {
    double error = 0;
    double norm = 0;
    byte[] codes = new byte[weights.columns() + 8];
    for (int row = 0; row < weights.rows(); row++) {
      for (int column = 0; column < weights.columns(); column++) {
        double value = value(weights, transforms, row, column);
        codes[column] = (byte) Math.clamp(Math.rint(value), 0, 1);
        error += (codes[column] - value) * (codes[column] - value);
        norm += weights.get(row, column) * weights.get(row, column);
      }
      buffers.grid(row, 0, new short[0], new int[] {ONE}, new int[] {0}, 0);
      buffers.codes(row, codes, 0);
    }
    return buffers.slab(weights.rows(), error, norm);
  }

  /** One entry of what is rounded; the one block there is begins at the slab's first channel. */
  private static double value(FloatMatrix weights, SlabTransforms transforms, int row, int column) {
    return switch (transforms) {
      case SlabTransforms.None none -> weights.get(row, column);
      case SlabTransforms.Blocks(Side side, var blocks) -> {
        BlockTransform block = blocks.getFirst();
        double sum = 0;
        for (int i = 0; i < block.k(); i++) {
          sum +=
              switch (side) {
                case OUTPUT -> block.forward(row, i) * (double) weights.get(i, column);
                case INPUT -> block.forward(column, i) * (double) weights.get(row, i);
              };
        }
        yield sum;
      }
    };
  }

  @Override
  public RoundingErrors plainError(FloatMatrix weights, GridSpec grid, InputMetric metric) {
    double error = 0;
    for (int row = 0; row < weights.rows(); row++) {
      for (int column = 0; column < weights.columns(); column++) {
        double value = weights.get(row, column);
        double difference = Math.clamp(Math.rint(value), 0, 1) - value;
        error += difference * difference;
      }
    }
    return new RoundingErrors(error, 0);
  }

  @Override
  public RoundingErrors metricError(
      FloatMatrix weights, GridSpec grid, InputMetric metric, RoundingRule rule) {
    return plainError(weights, grid, metric);
  }

  @Override
  public void close() {}
}

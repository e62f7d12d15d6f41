package io.cafeq.engine.compute.scalar;

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
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Rounding in doubles, one group and one column at a time. Holds nothing between calls. */
public final class ScalarSlabEncoder implements SlabEncoder {
  /** What a grid of a group takes on the heap. */
  private static final long HEAP_BYTES_PER_GROUP = 64;

  @Override
  public EncodedSlab encode(
      FloatMatrix weights,
      GridSpec grid,
      SlabTransforms transforms,
      InputMetric metric,
      RoundingRule rule,
      SlabBuffers buffers) {
    try (Arena arena = Arena.ofConfined()) {
      ScalarSlab slab = ScalarSlab.of(weights, grid, arena);
      if (transforms instanceof SlabTransforms.Blocks(Side side, var blocks)) {
        for (BlockTransform block : blocks) {
          slab.apply(side, block, block.firstChannel() - blocks.getFirst().firstChannel());
        }
      }
      slab.choose(metric);
      for (int row = 0; row < slab.rows(); row++) {
        ScalarGrid.store(buffers, row, slab.grids()[row]);
      }
      RoundingErrors errors;
      double outputNorm = 0;
      if (metric.isNone()) {
        errors = new RoundingErrors(round(slab, transforms, rule), 0);
      } else {
        boolean input =
            transforms instanceof SlabTransforms.Blocks(Side side, var blocks)
                && side == Side.INPUT;
        outputNorm = input ? outputNorm(slab, metric) : outputNorm(weights, metric);
        errors = new ScalarMetric(slab, rule).round(transforms, metric);
      }
      store(slab, buffers);
      return buffers.slab(
          slab.rows(), errors.squared(), squaredNorm(weights), errors.output(), outputNorm);
    }
  }

  private static void store(ScalarSlab slab, SlabBuffers buffers) {
    byte[] codes = new byte[slab.columns() + 8];
    for (int row = 0; row < slab.rows(); row++) {
      MemorySegment.copy(
          slab.codes(),
          ValueLayout.JAVA_BYTE,
          slab.values().index(row, 0),
          codes,
          0,
          slab.columns());
      buffers.codes(row, codes, 0);
    }
  }

  private static double squaredNorm(FloatMatrix weights) {
    double norm = 0;
    for (long i = 0; i < weights.elements(); i++) {
      double x = weights.segment().getAtIndex(ValueLayout.JAVA_FLOAT, i);
      norm += x * x;
    }
    return norm;
  }

  private static double outputNorm(ScalarSlab slab, InputMetric metric) {
    double sum = 0;
    double[] row = new double[slab.columns()];
    for (int i = 0; i < slab.rows(); i++) {
      slab.values().read(i, 0, row, row.length);
      sum = ScalarMetric.addSquaredNorm(sum, row, metric);
    }
    return sum;
  }

  private static double outputNorm(FloatMatrix weights, InputMetric metric) {
    double sum = 0;
    double[] row = new double[weights.columns()];
    for (int i = 0; i < weights.rows(); i++) {
      ScalarSlab.read(weights, i, row);
      sum = ScalarMetric.addSquaredNorm(sum, row, metric);
    }
    return sum;
  }

  /**
   * Rounding without a metric of the columns; returns the squared error with the transform undone.
   */
  private static double round(ScalarSlab slab, SlabTransforms transforms, RoundingRule rule) {
    double error = 0;
    switch (transforms) {
      case SlabTransforms.None none -> {
        for (int row = 0; row < slab.rows(); row++) {
          for (int c = 0; c < slab.columns(); c++) {
            double difference = slab.round(row, c, 0, rule);
            error += difference * difference;
          }
        }
      }
      case SlabTransforms.Blocks(Side side, var blocks) -> {
        for (BlockTransform block : blocks) {
          int first = block.firstChannel() - blocks.getFirst().firstChannel();
          error += slab.round(side, block.exactTriangle(), block.k(), first, rule);
        }
      }
    }
    return error;
  }

  @Override
  public RoundingErrors plainError(FloatMatrix weights, GridSpec grid, InputMetric metric) {
    double error = 0;
    double output = 0;
    double[] row = new double[weights.columns()];
    for (int i = 0; i < weights.rows(); i++) {
      ScalarSlab.read(weights, i, row);
      ScalarGrid[] grids = ScalarGrid.choose(row, grid);
      for (int c = 0; c < row.length; c++) {
        ScalarGrid group = grids[c / grid.groupSize(row.length)];
        row[c] = group.value(group.level(row[c])) - row[c];
        error += row[c] * row[c];
      }
      output = ScalarMetric.addSquaredNorm(output, row, metric);
    }
    return new RoundingErrors(error, output);
  }

  @Override
  public RoundingErrors metricError(
      FloatMatrix weights, GridSpec grid, InputMetric metric, RoundingRule rule) {
    if (metric.isNone()) {
      return plainError(weights, grid, metric);
    }
    try (Arena arena = Arena.ofConfined()) {
      ScalarSlab slab = ScalarSlab.of(weights, grid, arena);
      slab.choose(metric);
      return new ScalarMetric(slab, rule).round(new SlabTransforms.None(), metric);
    }
  }

  /** Native bytes that rounding a slab takes. */
  public static long scratchBytes(int rows, int columns) {
    return ScalarSlab.bytes(rows, columns);
  }

  /** Heap bytes that rounding a slab takes. */
  public static long heapBytes(int rows, int columns, int group) {
    return HEAP_BYTES_PER_GROUP * rows * Math.ceilDiv(columns, Math.max(1, group));
  }

  @Override
  public void close() {}
}

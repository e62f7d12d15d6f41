package io.cafeq.engine.compute.nd4j;

import io.cafeq.engine.compute.RoundingShape;
import io.cafeq.engine.compute.scalar.ScalarSlabEncoder;
import io.cafeq.engine.grid.EncodedSlab;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.grid.SlabBuffers;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.memory.MatrixProducts;
import io.cafeq.engine.memory.MemoryNeed;
import io.cafeq.engine.rounding.InputMetric;
import io.cafeq.engine.rounding.LaneSlabEncoder;
import io.cafeq.engine.rounding.RoundingErrors;
import io.cafeq.engine.rounding.RoundingRule;
import io.cafeq.engine.rounding.SlabEncoder;
import io.cafeq.engine.rounding.SlabTransforms;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The fast encoder where its sums of squares stay within floats, else the reference, which sums in
 * doubles. No trained weights are that large or that small; dead or broken ones can be. The slab
 * alone decides, so the bytes stay the same.
 */
final class WideRangeEncoder implements SlabEncoder {
  /** Squares of weights below its root lose digits in floats. */
  private static final double LEAST_NORM = 1e-28;

  private static final float LARGEST = 1e15f;
  private static final float SMALLEST = 1e-15f;
  private static final int TILE = 4096;

  private final LaneSlabEncoder fast;
  private final ScalarSlabEncoder reference = new ScalarSlabEncoder();
  private final float[] tile = new float[TILE];

  /** Borrows the products. */
  WideRangeEncoder(MatrixProducts products) {
    fast = new LaneSlabEncoder(products);
  }

  @Override
  public EncodedSlab encode(
      FloatMatrix weights,
      GridSpec grid,
      SlabTransforms transforms,
      InputMetric metric,
      RoundingRule rule,
      SlabBuffers buffers) {
    EncodedSlab slab = fast.encode(weights, grid, transforms, metric, rule, buffers);
    boolean inRange =
        Double.isFinite(slab.squaredError())
            && Double.isFinite(slab.squaredNorm())
            && Double.isFinite(slab.outputError())
            && Double.isFinite(slab.outputNorm())
            && (slab.squaredNorm() >= LEAST_NORM || isInRange(weights));
    return inRange ? slab : reference().encode(weights, grid, transforms, metric, rule, buffers);
  }

  /** Instead of the fast one, whose room is given back first. */
  private SlabEncoder reference() {
    fast.close();
    return reference;
  }

  /** The larger one of both encoders' needs outside the heap, since either works by itself. */
  static MemoryNeed need(RoundingShape slab) {
    int rows = slab.rows();
    int columns = slab.columns();
    long room =
        slab.inMetric()
            ? LaneSlabEncoder.metricScratchBytes(rows, columns)
            : slab.transformed() ? LaneSlabEncoder.scratchBytes(rows, columns) : 0;
    return MemoryNeed.host(
        Math.max(room, ScalarSlabEncoder.scratchBytes(rows, columns)),
        LaneSlabEncoder.heapBytes(rows, columns, slab.group(), slab.inMetric())
            + ScalarSlabEncoder.heapBytes(rows, columns, slab.group()));
  }

  @Override
  public RoundingErrors plainError(FloatMatrix weights, GridSpec grid, InputMetric metric) {
    RoundingErrors errors = fast.plainError(weights, grid, metric);
    return isTrusted(errors, weights) ? errors : reference().plainError(weights, grid, metric);
  }

  @Override
  public RoundingErrors metricError(
      FloatMatrix weights, GridSpec grid, InputMetric metric, RoundingRule rule) {
    RoundingErrors errors = fast.metricError(weights, grid, metric, rule);
    return isTrusted(errors, weights)
        ? errors
        : reference().metricError(weights, grid, metric, rule);
  }

  private boolean isTrusted(RoundingErrors errors, FloatMatrix weights) {
    return Double.isFinite(errors.squared())
        && Double.isFinite(errors.output())
        && (errors.squared() >= LEAST_NORM || isInRange(weights));
  }

  /** Whether the largest weight is one that floats can square and sum; zeros alone are. */
  private boolean isInRange(FloatMatrix weights) {
    float largest = 0;
    for (long first = 0; first < weights.elements(); first += TILE) {
      int count = (int) Math.min(TILE, weights.elements() - first);
      MemorySegment.copy(weights.segment(), ValueLayout.JAVA_FLOAT, 4 * first, tile, 0, count);
      for (int i = 0; i < count; i++) {
        largest = Math.max(largest, Math.abs(tile[i]));
      }
    }
    return largest == 0 || (largest >= SMALLEST && largest <= LARGEST);
  }

  @Override
  public void close() {
    fast.close();
    reference.close();
  }
}

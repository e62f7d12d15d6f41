package io.cafeq.engine.compute.nd4j;

import io.cafeq.engine.grid.LaneLoops;
import java.util.Arrays;

/**
 * Ranges of groups, one a lane, and what becomes of the group's entries: first every row of entries
 * is shown to {@link #include}, then raised by {@link #raise}, then the slopes are known. Reused;
 * on the heap.
 */
final class LaneRanges {
  final int lanes;

  /** Largest magnitude of each lane's group. */
  final float[] top;

  /** 1 / top, or 0; may be replaced before {@link #raise}. */
  final float[] inverseTop;

  /** Sum of the powers of magnitudes, relative to {@link #top}. */
  final float[] sum;

  /** R^2 of the p-norm mean R. */
  final float[] squared;

  /** dR^2/dv is twice this times a^(p-1). */
  final float[] slope;

  private final float[] low;
  private final float[] high;
  private final float[] scaled;
  private final float[] square;
  private final float[] power;

  LaneRanges(int lanes) {
    this.lanes = lanes;
    top = new float[lanes];
    inverseTop = new float[lanes];
    sum = new float[lanes];
    squared = new float[lanes];
    slope = new float[lanes];
    low = new float[lanes];
    high = new float[lanes];
    scaled = new float[lanes];
    square = new float[lanes];
    power = new float[lanes];
  }

  /** True ranges of the groups whose entries are rows [first, end). */
  void include(float[][] rows, int first, int end) {
    Arrays.fill(low, Float.POSITIVE_INFINITY);
    Arrays.fill(high, Float.NEGATIVE_INFINITY);
    for (int row = first; row < end; row++) {
      LaneLoops.range(rows[row], low, high, lanes);
    }
    PowerLoops.tops(low, high, top, inverseTop, lanes);
  }

  float low(int lane) {
    return low[lane];
  }

  float high(int lane) {
    return high[lane];
  }

  /** Half of maximum minus minimum, or the largest magnitude where the grid has no zero point. */
  double half(int lane, boolean symmetric) {
    return symmetric ? top[lane] : (high[lane] - low[lane]) / 2;
  }

  /** Replaces the entries by a^(p-1) with their signs, a = entry / top, and sums a^p. */
  void raise(float[][] rows, int first, int end, int p) {
    Arrays.fill(sum, 0);
    float floor = PowerLoops.floor(p);
    for (int row = first; row < end; row++) {
      PowerLoops.powers(rows[row], inverseTop, p, floor, sum, scaled, square, power, lanes);
    }
  }

  /** {@link #squared} and {@link #slope} of groups of {@code count} entries. */
  void finish(int p, int count) {
    PowerLoops.ranges(sum, top, p, count, squared, slope, lanes);
  }

  /** Multiplies the entries by {@link #slope}. */
  void slope(float[][] rows, int first, int end) {
    for (int row = first; row < end; row++) {
      PowerLoops.scale(rows[row], slope, lanes);
    }
  }
}

package io.cafeq.engine.grid;

import io.cafeq.config.ScaleStorage;
import java.util.Arrays;

/**
 * Grids for some whole rows at a time. Each group of each row is a lane (lane = row * groups + group) and entry e of all
 * groups is one array, so that all loops run over lanes. The arrays lie on the heap and are reused; a tile holds at most some
 * 100,000 weights, or one row. Not thread-safe.
 *
 * <p>The order of use is {@link #load}, {@link #choose}, then any of the others.
 */
public final class GridTile {
  private static final int TARGET_WEIGHTS = 1 << 16;

  private final GridSpec grid;
  private final int columns;
  private final int size;
  private final int groups;
  private final int maximumRows;
  private final float[][] entries;
  private final float[] low;
  private final float[] high;
  private final float[] full;
  private final float[] step;
  private final float[] inverse;
  private final float[] zero;
  private final float[] error;
  private final float[] bestError;
  private final int[] scaleCode;
  private final int[] zeroCode;
  private final int[] bestScaleCode;
  private final int[] bestZeroCode;
  private final float[] rowScale;
  private final short[] rowScaleBits;
  private final byte[][] codes;
  private final double[] shrinks;
  private int rows;
  private int lanes;

  public GridTile(GridSpec grid, int columns) {
    this.grid = grid;
    this.columns = columns;
    size = grid.groupSize(columns);
    groups = grid.groups(columns);
    maximumRows = Math.max(1, TARGET_WEIGHTS / columns);
    int most = maximumRows * groups;
    entries = new float[size][most];
    codes = new byte[size][most];
    low = new float[most];
    high = new float[most];
    full = new float[most];
    step = new float[most];
    inverse = new float[most];
    zero = new float[most];
    error = new float[most];
    bestError = new float[most];
    scaleCode = new int[most];
    zeroCode = new int[most];
    bestScaleCode = new int[most];
    bestZeroCode = new int[most];
    rowScale = new float[maximumRows];
    rowScaleBits = new short[maximumRows];
    shrinks = Shrinks.of(grid);
  }

  /** Rows that fit at a time. */
  public int maximumRows() {
    return maximumRows;
  }

  /** Takes rows that lie one after the other in {@code weights}. */
  public void load(float[] weights, int rowCount) {
    rows = rowCount;
    lanes = rows * groups;
    int blocked = 16;
    for (int l0 = 0; l0 < lanes; l0 += blocked) {
      int end = Math.min(lanes, l0 + blocked);
      for (int e = 0; e < size; e++) {
        float[] entry = entries[e];
        for (int l = l0, from = l0 * size + e; l < end; l++, from += size) {
          entry[l] = weights[from];
        }
      }
    }
    Arrays.fill(low, 0, lanes, Float.POSITIVE_INFINITY);
    Arrays.fill(high, 0, lanes, Float.NEGATIVE_INFINITY);
    for (float[] entry : entries) {
      LaneLoops.range(entry, low, high, lanes);
    }
  }

  /** Chooses each group's scale and zero point as they will be stored: the shrink with the least squared error. */
  public void choose() {
    prepareRanges();
    if (shrinks.length == 1) {
      candidate(shrinks[0]);
      System.arraycopy(scaleCode, 0, bestScaleCode, 0, lanes);
      System.arraycopy(zeroCode, 0, bestZeroCode, 0, lanes);
    } else {
      Arrays.fill(bestError, 0, lanes, Float.POSITIVE_INFINITY);
      for (double shrink : shrinks) {
        candidate(shrink);
        Arrays.fill(error, 0, lanes, 0);
        for (float[] entry : entries) {
          LaneLoops.addCodeErrors(entry, inverse, zero, grid.top(), error, lanes);
        }
        for (int l = 0; l < lanes; l++) {
          float squared = error[l] * step[l] * step[l];
          if (squared < bestError[l]) {
            bestError[l] = squared;
            bestScaleCode[l] = scaleCode[l];
            bestZeroCode[l] = zeroCode[l];
          }
        }
      }
    }
    for (int l = 0; l < lanes; l++) {
      step[l] = scaleOf(l, bestScaleCode[l]);
      inverse[l] = 1 / step[l];
      zero[l] = zeroOf(l, bestZeroCode[l]);
    }
  }

  private void prepareRanges() {
    switch (grid.storage()) {
      case SYMMETRIC -> {
        for (int l = 0; l < lanes; l++) {
          float reach = Math.max(-low[l], high[l]);
          low[l] = -reach;
          high[l] = reach;
        }
      }
      case ZERO_POINT, OFFSET, F16 -> {
        for (int l = 0; l < lanes; l++) {
          low[l] = Math.min(low[l], 0);
          high[l] = Math.max(high[l], 0);
        }
      }
      case F16_MINIMUM -> {}
    }
    for (int l = 0; l < lanes; l++) {
      full[l] = (high[l] - low[l]) / grid.top();
    }
    if (!grid.scalesAreF16()) {
      for (int row = 0; row < rows; row++) {
        float largest = 0;
        for (int l = row * groups; l < (row + 1) * groups; l++) {
          largest = Math.max(largest, full[l]);
        }
        rowScaleBits[row] = HalfFloats.roundedUp(largest > 0 ? largest : 1);
        rowScale[row] = Float.float16ToFloat(rowScaleBits[row]);
      }
    }
  }

  /** Scale and zero codes of all lanes for one shrink, with step, inverse and zero as they decode. */
  private void candidate(double shrink) {
    int levels = (1 << grid.scaleBits()) - 1;
    boolean half = grid.scalesAreF16();
    int row = 0;
    for (int l = 0; l < lanes; l++) {
      if (half) {
        scaleCode[l] = HalfFloats.positive(full[l] > 0 ? shrink * full[l] : 1);
      } else {
        row = l / groups;
        scaleCode[l] = (int) Math.clamp(Math.rint(shrink * full[l] / rowScale[row] * levels), 1, levels);
      }
      step[l] = scaleOf(l, scaleCode[l]);
      inverse[l] = 1 / step[l];
    }
    int top = grid.top();
    float rest = (float) ((1 - shrink) / 2);
    switch (grid.storage()) {
      case SYMMETRIC -> {}
      case ZERO_POINT, F16 -> {
        for (int l = 0; l < lanes; l++) {
          zeroCode[l] = (int) Math.clamp(Math.rint(-(low[l] + (high[l] - low[l]) * rest) / step[l]), 0, top);
        }
      }
      case OFFSET -> {
        double units = 1 << (8 - grid.bits());
        for (int l = 0; l < lanes; l++) {
          zeroCode[l] = (int) Math.clamp(Math.rint(-(low[l] + (high[l] - low[l]) * rest) / step[l] * units), 0, 255);
        }
      }
      case F16_MINIMUM -> {
        for (int l = 0; l < lanes; l++) {
          zeroCode[l] = HalfFloats.signed(low[l] + (high[l] - low[l]) * rest) & 0xFFFF;
        }
      }
    }
    for (int l = 0; l < lanes; l++) {
      zero[l] = zeroOf(l, zeroCode[l]);
    }
  }

  private float scaleOf(int lane, int code) {
    if (grid.scalesAreF16()) {
      return Float.float16ToFloat((short) code);
    }
    return (float) ((double) code * rowScale[lane / groups] / ((1 << grid.scaleBits()) - 1));
  }

  private float zeroOf(int lane, int code) {
    return switch (grid.storage()) {
      case SYMMETRIC -> grid.top() / 2f;
      case ZERO_POINT, F16 -> code;
      case OFFSET -> code / (float) (1 << (8 - grid.bits()));
      case F16_MINIMUM -> -Float.float16ToFloat((short) code) / step[lane];
    };
  }

  /** Squared error of nearest rounding on the chosen grids. */
  public double squaredError() {
    Arrays.fill(error, 0, lanes, 0);
    for (float[] entry : entries) {
      LaneLoops.addCodeErrors(entry, inverse, zero, grid.top(), error, lanes);
    }
    double sum = 0;
    for (int l = 0; l < lanes; l++) {
      sum += (double) error[l] * step[l] * step[l];
    }
    return sum;
  }

  /** Codes by nearest rounding, row after row; {@code out} has room for rows * columns. */
  public void codes(byte[] out) {
    for (int e = 0; e < size; e++) {
      LaneLoops.codes(entries[e], inverse, zero, grid.top(), codes[e], lanes);
    }
    int blocked = 16;
    for (int e0 = 0; e0 < size; e0 += blocked) {
      int end = Math.min(size, e0 + blocked);
      for (int l = 0; l < lanes; l++) {
        for (int e = e0, to = l * size + e0; e < end; e++, to++) {
          out[to] = codes[e][l];
        }
      }
    }
  }

  /** Writes the loaded rows' scales and zero points at {@code firstRow} of {@code buffers}. */
  public void store(SlabBuffers buffers, int firstRow) {
    for (int row = 0; row < rows; row++) {
      buffers.grid(firstRow + row, rowScaleBits[row], bestScaleCode, bestZeroCode, row * groups);
    }
  }

  /** Copies steps, their inverses and zeros of the loaded rows to {@code at} of the given arrays, lane by lane. */
  public void copyGrids(float[] steps, float[] inverses, float[] zeros, int at) {
    System.arraycopy(step, 0, steps, at, lanes);
    System.arraycopy(inverse, 0, inverses, at, lanes);
    System.arraycopy(zero, 0, zeros, at, lanes);
  }

  /** Columns of the rows that the tile takes. */
  public int columns() {
    return columns;
  }

  /** True if the zero point is a stored minimum. */
  static boolean storesMinimum(GridSpec grid) {
    return grid.storage() == ScaleStorage.F16_MINIMUM;
  }
}

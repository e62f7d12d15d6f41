package io.cafeq.engine.grid;

import io.cafeq.config.ScaleStorage;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Chooses grids and codes for some whole rows at a time. Each group of each row is a lane, a long
 * group several (lane = (row * groups + group) * parts + part), and entry e of all lanes is one
 * array, so that all loops run over lanes, of which there are enough even for grids of whole rows.
 * The arrays are on the heap and are reused; a tile holds at most some 100,000 weights, or one row.
 * Not thread-safe.
 *
 * <p>The order of use is {@link #load}, {@link #choose}, then any of the others.
 */
public final class GridTile {
  private static final int TARGET_WEIGHTS = 1 << 16;
  private static final int LONGEST_LANE = 256;

  private final GridSpec grid;
  private final int columns;
  private final int size;
  private final int groups;
  private final int parts;
  private final int laneLength;
  private final int maximumRows;
  private final float[][] entries;
  private final float[] low;
  private final float[] high;
  private final float[] full;
  private final float[] step;
  private final float[] inverse;
  private final float[] zero;
  private final float[] laneInverse;
  private final float[] laneZero;
  private final float[] laneLow;
  private final float[] laneHigh;
  private final float[] error;
  private final double[] bestError;
  private final int[] scaleCode;
  private final int[] zeroCode;
  private final int[] bestScaleCode;
  private final int[] bestZeroCode;
  private final RowScales rowScales;
  private final SuperScales[] supers;
  private final double[] bestStep;
  private final double[] bestMinimum;
  private final byte[][] codes;
  private final double[] shrinks;
  private final LaneWeights laneWeights;
  private int rows;
  private int count;
  private int lanes;

  public GridTile(GridSpec grid, int columns) {
    this.grid = grid;
    this.columns = columns;
    size = grid.groupSize(columns);
    groups = grid.groups(columns);
    parts = parts(size);
    laneLength = size / parts;
    maximumRows = Math.max(1, TARGET_WEIGHTS / columns);
    int most = maximumRows * groups;
    int mostLanes = most * parts;
    entries = new float[laneLength][mostLanes];
    codes = new byte[laneLength][mostLanes];
    laneInverse = parts == 1 ? new float[0] : new float[mostLanes];
    laneZero = parts == 1 ? new float[0] : new float[mostLanes];
    laneLow = parts == 1 ? new float[0] : new float[mostLanes];
    laneHigh = parts == 1 ? new float[0] : new float[mostLanes];
    error = new float[mostLanes];
    low = new float[most];
    high = new float[most];
    full = new float[most];
    step = new float[most];
    inverse = new float[most];
    zero = new float[most];
    bestError = new double[most];
    scaleCode = new int[most];
    zeroCode = new int[most];
    bestScaleCode = new int[most];
    bestZeroCode = new int[most];
    rowScales = new RowScales(maximumRows);
    boolean hasSuperBlocks = grid.storage().hasSuperBlocks();
    supers = new SuperScales[hasSuperBlocks ? maximumRows : 0];
    Arrays.setAll(supers, row -> new SuperScales(grid, columns));
    bestStep = new double[hasSuperBlocks ? most : 0];
    bestMinimum = new double[hasSuperBlocks ? most : 0];
    shrinks = Shrinks.of(grid);
    laneWeights = new LaneWeights(laneLength, mostLanes, groups * parts);
  }

  /** The fewest equal parts of a group that are no longer than a lane should be. */
  private static int parts(int size) {
    int parts = (size + LONGEST_LANE - 1) / LONGEST_LANE;
    while (size % parts != 0) {
      parts++;
    }
    return parts;
  }

  /** Rows that fit at a time. */
  public int maximumRows() {
    return maximumRows;
  }

  /** Loads consecutive rows of {@code weights}. */
  public void load(float[] weights, int rowCount) {
    rows = rowCount;
    count = rows * groups;
    lanes = count * parts;
    LaneLayout.toLanes(weights, entries, lanes);
    float[] lows = parts == 1 ? low : laneLow;
    float[] highs = parts == 1 ? high : laneHigh;
    Arrays.fill(lows, 0, lanes, Float.POSITIVE_INFINITY);
    Arrays.fill(highs, 0, lanes, Float.NEGATIVE_INFINITY);
    for (float[] entry : entries) {
      LaneLoops.range(entry, lows, highs, lanes);
    }
    if (parts > 1) {
      for (int i = 0; i < count; i++) {
        low[i] = lows[i * parts];
        high[i] = highs[i * parts];
        for (int l = i * parts + 1; l < (i + 1) * parts; l++) {
          low[i] = Math.min(low[i], lows[l]);
          high[i] = Math.max(high[i], highs[l]);
        }
      }
    }
  }

  /**
   * Chooses each group's scale and zero point as they will be stored: the shrink with the least
   * squared error.
   */
  public void choose() {
    chooseGrids(null);
  }

  /** The same with a weight for the squared errors of each column. */
  public void choose(float[] weightsOfColumns) {
    chooseGrids(laneWeights.of(weightsOfColumns));
  }

  private void chooseGrids(float @Nullable [][] weights) {
    prepareRanges();
    if (grid.storage().hasSuperBlocks()) {
      chooseWithinSuperBlocks(weights);
    } else if (shrinks.length == 1) {
      candidate(shrinks[0]);
      System.arraycopy(scaleCode, 0, bestScaleCode, 0, count);
      System.arraycopy(zeroCode, 0, bestZeroCode, 0, count);
    } else {
      Arrays.fill(bestError, 0, count, Double.POSITIVE_INFINITY);
      for (double shrink : shrinks) {
        candidate(shrink);
        measure(weights);
        keepBetter();
      }
    }
    for (int i = 0; i < count; i++) {
      step[i] = scaleOf(i, bestScaleCode[i]);
      inverse[i] = inverse(step[i]);
      zero[i] = zeroOf(i, bestZeroCode[i]);
    }
  }

  /**
   * Chooses scales and minimums of all digits first, from these the factors of super-blocks, and
   * then the codes around the nearest ones with the least error.
   */
  private void chooseWithinSuperBlocks(float @Nullable [][] weights) {
    Arrays.fill(bestError, 0, count, Double.POSITIVE_INFINITY);
    for (double shrink : shrinks) {
      float rest = (float) ((1 - shrink) / 2);
      for (int l = 0; l < count; l++) {
        step[l] = (float) shrink * full[l];
        inverse[l] = inverse(step[l]);
        zero[l] =
            grid.storage() == ScaleStorage.K_SIGNED
                ? grid.middle()
                : -minimum(l, rest) * inverse[l];
      }
      measure(weights);
      for (int l = 0; l < count; l++) {
        double squared = squaredError(l);
        if (squared < bestError[l]) {
          bestError[l] = squared;
          bestStep[l] = step[l];
          bestMinimum[l] = minimum(l, rest);
        }
      }
    }
    for (int row = 0; row < rows; row++) {
      supers[row].choose(bestStep, bestMinimum, row * groups, groups, rowScales.factor(row));
    }
    Arrays.fill(bestError, 0, count, Double.POSITIVE_INFINITY);
    int reach = grid.storage() == ScaleStorage.K_SIGNED || !grid.clip() ? 0 : 1;
    for (int scaleOffset = grid.clip() ? -1 : 0;
        scaleOffset <= (grid.clip() ? 1 : 0);
        scaleOffset++) {
      for (int offset = -reach; offset <= reach; offset++) {
        candidateAround(scaleOffset, offset);
        measure(weights);
        keepBetter();
      }
    }
  }

  /** The lowest value of a group whose range is shrunk by so much at each end; at most 0. */
  private float minimum(int group, float rest) {
    return Math.min(0, low[group] + (high[group] - low[group]) * rest);
  }

  private void candidateAround(int scaleOffset, int minimumOffset) {
    for (int l = 0; l < count; l++) {
      SuperScales own = supers[l / groups];
      int group = l % groups;
      scaleCode[l] = own.scaleCode(group, bestStep[l], scaleOffset);
      zeroCode[l] = own.minimumCode(group, bestMinimum[l], minimumOffset);
      step[l] = scaleOf(l, scaleCode[l]);
      inverse[l] = inverse(step[l]);
      zero[l] = zeroOf(l, zeroCode[l]);
    }
  }

  private void keepBetter() {
    for (int i = 0; i < count; i++) {
      double squared = squaredError(i);
      if (squared < bestError[i]) {
        bestError[i] = squared;
        bestScaleCode[i] = scaleCode[i];
        bestZeroCode[i] = zeroCode[i];
      }
    }
  }

  /**
   * A group of zeros on a grid without a level at 0 has no scale at all, so that all its levels are
   * 0.
   */
  private boolean nothing(int group) {
    return grid.storage() == ScaleStorage.SYMMETRIC && !(full[group] > 0);
  }

  private static float inverse(float step) {
    return step == 0 ? 0 : Math.clamp(1 / step, -Float.MAX_VALUE, Float.MAX_VALUE);
  }

  /** Errors of all lanes on the present grids, in units of the squared steps. */
  private void measure(float @Nullable [][] weights) {
    Arrays.fill(error, 0, lanes, 0);
    float[] inverses = spread(inverse, laneInverse);
    float[] zeros = spread(zero, laneZero);
    for (int e = 0; e < laneLength; e++) {
      if (weights == null) {
        LaneLoops.addCodeErrors(entries[e], inverses, zeros, grid.top(), error, lanes);
      } else {
        LaneLoops.addWeightedCodeErrors(
            entries[e], inverses, zeros, weights[e], grid.top(), error, lanes);
      }
    }
  }

  /** Spreads one value per group to one per lane. */
  private float[] spread(float[] values, float[] room) {
    if (parts == 1) {
      return values;
    }
    for (int i = 0; i < count; i++) {
      Arrays.fill(room, i * parts, (i + 1) * parts, values[i]);
    }
    return room;
  }

  private double squaredError(int group) {
    double sum = 0;
    for (int l = group * parts; l < (group + 1) * parts; l++) {
      sum += error[l];
    }
    return sum * step[group] * step[group];
  }

  private void prepareRanges() {
    switch (grid.storage()) {
      case SYMMETRIC -> {
        for (int l = 0; l < count; l++) {
          float reach = Math.max(-low[l], high[l]);
          low[l] = -reach;
          high[l] = reach;
        }
      }
      case ZERO_POINT, OFFSET, F16 -> {
        for (int l = 0; l < count; l++) {
          low[l] = Math.min(low[l], 0);
          high[l] = Math.max(high[l], 0);
        }
      }
      case K_MINIMUM -> {
        for (int l = 0; l < count; l++) {
          low[l] = Math.min(low[l], 0);
        }
      }
      case F16_MINIMUM, SIGNED, K_SIGNED -> {}
    }
    for (int l = 0; l < count; l++) {
      full[l] =
          grid.storage() == ScaleStorage.SIGNED || grid.storage() == ScaleStorage.K_SIGNED
              ? signedStep(low[l], high[l])
              : (high[l] - low[l]) / grid.top();
    }
    for (int row = 0; row < rows; row++) {
      prepareRow(row);
    }
  }

  private boolean hasMinimums() {
    return grid.storage() == ScaleStorage.F16_MINIMUM || grid.storage() == ScaleStorage.K_MINIMUM;
  }

  /** The least step that reaches both ends; negative where the upper end needs the extra level. */
  private float signedStep(float low, float high) {
    float below = grid.middle();
    float above = grid.middle() - 1;
    return -low >= high
        ? Math.max(-low / below, high / above)
        : -Math.max(high / below, -low / above);
  }

  private void prepareRow(int row) {
    float largest = 0;
    float minimum = 0;
    for (int l = row * groups; l < (row + 1) * groups; l++) {
      largest = Math.max(largest, Math.abs(full[l]));
      minimum =
          hasMinimums() ? Math.max(minimum, Math.max(Math.abs(low[l]), Math.abs(high[l]))) : 0;
    }
    // Zeros stay as they are, with their signs.
    if (Math.max(largest, minimum) > 0 && RowExponents.isNothing(Math.max(largest, minimum))) {
      Arrays.fill(full, row * groups, (row + 1) * groups, 0);
      Arrays.fill(low, row * groups, (row + 1) * groups, 0);
      Arrays.fill(high, row * groups, (row + 1) * groups, 0);
      largest = 0;
    }
    if (grid.storage().hasSuperBlocks()) {
      rowScales.choose(row, SuperScales.factor(grid, Math.max(largest, minimum)), 0);
    } else {
      rowScales.choose(row, largest, minimum);
    }
  }

  /**
   * Scale and zero codes of all lanes for one shrink, with step, inverse and zero as they decode.
   */
  private void candidate(double shrink) {
    int levels = (1 << grid.scaleBits()) - 1;
    boolean half = grid.scalesAreF16();
    int row = 0;
    for (int l = 0; l < count; l++) {
      row = l / groups;
      if (half) {
        scaleCode[l] =
            nothing(l) ? 0 : half(full[l] == 0 ? 1 : shrink * full[l] / rowScales.factor(row));
      } else {
        double code = Math.rint(shrink * full[l] / rowScales.scale(row) * levels);
        scaleCode[l] = (int) Math.clamp(code, nothing(l) ? 0 : 1, levels);
      }
      step[l] = scaleOf(l, scaleCode[l]);
      inverse[l] = inverse(step[l]);
    }
    int top = grid.top();
    float rest = (float) ((1 - shrink) / 2);
    switch (grid.storage()) {
      case SYMMETRIC, SIGNED, K_MINIMUM, K_SIGNED -> {}
      case ZERO_POINT, F16 -> {
        for (int l = 0; l < count; l++) {
          zeroCode[l] =
              (int) Math.clamp(Math.rint(-(low[l] + (high[l] - low[l]) * rest) / step[l]), 0, top);
        }
      }
      case OFFSET -> {
        double units = 1 << (8 - grid.bits());
        for (int l = 0; l < count; l++) {
          zeroCode[l] =
              (int)
                  Math.clamp(
                      Math.rint(-(low[l] + (high[l] - low[l]) * rest) / step[l] * units), 0, 255);
        }
      }
      case F16_MINIMUM -> {
        for (int l = 0; l < count; l++) {
          zeroCode[l] =
              grid.halves()
                      .signed((low[l] + (high[l] - low[l]) * rest) / rowScales.factor(l / groups))
                  & 0xFFFF;
        }
      }
    }
    for (int l = 0; l < count; l++) {
      zero[l] = zeroOf(l, zeroCode[l]);
    }
  }

  /** A scale of either sign, never 0. */
  private int half(double scale) {
    short magnitude = grid.halves().positive(Math.abs(scale));
    return scale < 0 ? magnitude | 0x8000 : magnitude;
  }

  private float scaleOf(int lane, int code) {
    if (grid.storage().hasSuperBlocks()) {
      return supers[lane / groups].scale(lane % groups, code);
    }
    if (grid.scalesAreF16()) {
      return Float.float16ToFloat((short) code) * rowScales.factor(lane / groups);
    }
    return (float) ((double) code * rowScales.scale(lane / groups) / ((1 << grid.scaleBits()) - 1));
  }

  private float zeroOf(int lane, int code) {
    return switch (grid.storage()) {
      case SYMMETRIC -> grid.top() / 2f;
      case SIGNED, K_SIGNED -> grid.middle();
      case K_MINIMUM -> -supers[lane / groups].minimum(lane % groups, code) / step[lane];
      case ZERO_POINT, F16 -> code;
      case OFFSET -> code / (float) (1 << (8 - grid.bits()));
      case F16_MINIMUM ->
          -Float.float16ToFloat((short) code) * rowScales.factor(lane / groups) / step[lane];
    };
  }

  /** Squared error of nearest rounding on the chosen grids. */
  public double squaredError() {
    measure(null);
    double sum = 0;
    for (int i = 0; i < count; i++) {
      sum += squaredError(i);
    }
    return sum;
  }

  /** Codes by nearest rounding, row after row; {@code out} has room for rows * columns. */
  public void codes(byte[] out) {
    float[] inverses = spread(inverse, laneInverse);
    float[] zeros = spread(zero, laneZero);
    for (int e = 0; e < laneLength; e++) {
      LaneLoops.codes(entries[e], inverses, zeros, grid.top(), codes[e], lanes);
    }
    LaneLayout.toRows(codes, out, lanes);
  }

  /**
   * What nearest rounding adds to the loaded rows, row after row. They are lost: this is the last
   * use of a load.
   */
  public void deviations(float[] out) {
    float[] inverses = spread(inverse, laneInverse);
    float[] zeros = spread(zero, laneZero);
    float[] steps = spread(step, laneLow);
    for (int e = 0; e < laneLength; e++) {
      LaneLoops.codeDeviations(entries[e], inverses, zeros, steps, grid.top(), lanes);
    }
    LaneLayout.toRows(entries, out, lanes);
  }

  /** Writes the loaded rows' scales and zero points at {@code firstRow} of {@code buffers}. */
  public void store(SlabBuffers buffers, int firstRow) {
    for (int row = 0; row < rows; row++) {
      buffers.grid(
          firstRow + row,
          rowScales.exponent(row),
          grid.storage().hasSuperBlocks() ? supers[row].bits() : new short[] {rowScales.bits(row)},
          bestScaleCode,
          bestZeroCode,
          row * groups);
    }
  }

  /**
   * Copies steps, their inverses and zeros of the loaded rows to {@code at} of the given arrays,
   * one per group.
   */
  public void copyGrids(float[] steps, float[] inverses, float[] zeros, int at) {
    System.arraycopy(step, 0, steps, at, count);
    System.arraycopy(inverse, 0, inverses, at, count);
    System.arraycopy(zero, 0, zeros, at, count);
  }
}

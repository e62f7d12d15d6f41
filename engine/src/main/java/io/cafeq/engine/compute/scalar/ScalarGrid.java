package io.cafeq.engine.compute.scalar;

import io.cafeq.config.ScaleStorage;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.grid.HalfFloats;
import io.cafeq.engine.grid.RowExponents;
import io.cafeq.engine.grid.Shrinks;
import io.cafeq.engine.grid.SlabBuffers;
import io.cafeq.engine.grid.SuperScales;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * One group's grid: value = (level - zero) * step.
 *
 * @param exponent of the power of two that the row's f16 numbers are multiplied with; included in
 *     {@code step}
 * @param ownScales bits of the row's own f16 numbers: its scale, or factors of super-blocks
 * @param scaleCode the scale as stored: a code, or f16 bits
 * @param zeroCode the zero point as stored: a code, or the f16 bits of the minimum
 */
record ScalarGrid(
    double step,
    double zero,
    int top,
    int exponent,
    List<Short> ownScales,
    int scaleCode,
    int zeroCode) {
  /** The grids of one row, by the equations; a group of zeros takes no part in its row's scale. */
  static ScalarGrid[] choose(double[] row, GridSpec grid) {
    float[] alike = new float[row.length];
    Arrays.fill(alike, 1);
    return choose(row, grid, alike);
  }

  /** The same where the squared errors of each column count as much as told. */
  static ScalarGrid[] choose(double[] row, GridSpec grid, float[] columnWeights) {
    int size = grid.groupSize(row.length);
    ScalarGrid[] grids = new ScalarGrid[grid.groups(row.length)];
    double[][] ranges = new double[grids.length][];
    double largest = 0;
    double minimum = 0;
    for (int g = 0; g < grids.length; g++) {
      double[] range = range(row, g * size, size, grid);
      ranges[g] = range;
      largest = Math.max(largest, Math.abs(full(range, grid)));
      minimum =
          grid.storage() == ScaleStorage.F16_MINIMUM || grid.storage() == ScaleStorage.K_MINIMUM
              ? Math.max(minimum, Math.max(Math.abs(range[0]), Math.abs(range[1])))
              : 0;
    }
    if (Math.max(largest, minimum) > 0 && RowExponents.isNothing(Math.max(largest, minimum))) {
      Arrays.fill(ranges, new double[] {0, 0});
      largest = 0;
    }
    if (grid.storage().hasSuperBlocks()) {
      return superBlocks(row, grid, columnWeights, ranges, Math.max(largest, minimum));
    }
    int exponent = RowExponents.of(largest, minimum);
    short rowScale =
        HalfFloats.roundedUp(largest > 0 ? largest / RowExponents.factor(exponent) : 1);
    for (int g = 0; g < grids.length; g++) {
      double[] range = ranges[g];
      double bestError = Double.POSITIVE_INFINITY;
      for (double shrink : Shrinks.of(grid)) {
        ScalarGrid candidate = candidate(range, shrink, exponent, rowScale, grid);
        double error = 0;
        for (int c = g * size; c < (g + 1) * size; c++) {
          double difference = candidate.value(candidate.level(row[c])) - row[c];
          error += columnWeights[c] * difference * difference;
        }
        if (error < bestError) {
          bestError = error;
          grids[g] = candidate;
        }
      }
    }
    return grids;
  }

  /** Scales of all digits first, from these factors of super-blocks, then codes around them. */
  private static ScalarGrid[] superBlocks(
      double[] row, GridSpec grid, float[] columnWeights, double[][] ranges, double largest) {
    int size = grid.groupSize(row.length);
    int exponent = RowExponents.of(SuperScales.factor(grid, (float) largest), 0);
    double[] steps = new double[ranges.length];
    double[] minimums = new double[ranges.length];
    for (int g = 0; g < ranges.length; g++) {
      double bestError = Double.POSITIVE_INFINITY;
      for (double shrink : Shrinks.of(grid)) {
        double step = shrink * full(ranges[g], grid);
        double end = Math.min(0, ranges[g][0] + (ranges[g][1] - ranges[g][0]) * (1 - shrink) / 2);
        double error = exact(step, end, grid).error(row, g * size, size, columnWeights);
        if (error < bestError) {
          bestError = error;
          steps[g] = step;
          minimums[g] = end;
        }
      }
    }
    SuperScales supers = new SuperScales(grid, row.length);
    supers.choose(steps, minimums, 0, ranges.length, RowExponents.factor(exponent));
    List<Short> own = new ArrayList<>();
    for (short half : supers.bits()) {
      own.add(half);
    }
    ScalarGrid[] grids = new ScalarGrid[ranges.length];
    int scaleReach = grid.clip() ? 1 : 0;
    int minimumReach = grid.storage() == ScaleStorage.K_SIGNED ? 0 : scaleReach;
    for (int g = 0; g < grids.length; g++) {
      double bestError = Double.POSITIVE_INFINITY;
      for (int s = -scaleReach; s <= scaleReach; s++) {
        for (int m = -minimumReach; m <= minimumReach; m++) {
          int scaleCode = supers.scaleCode(g, steps[g], s);
          int zeroCode = supers.minimumCode(g, minimums[g], m);
          double step = supers.scale(g, scaleCode);
          ScalarGrid candidate =
              exact(step, supers.minimum(g, zeroCode), grid)
                  .stored(exponent, own, scaleCode, zeroCode);
          double error = candidate.error(row, g * size, size, columnWeights);
          if (error < bestError) {
            bestError = error;
            grids[g] = candidate;
          }
        }
      }
    }
    return grids;
  }

  private static ScalarGrid exact(double step, double minimum, GridSpec grid) {
    double zero =
        grid.storage() == ScaleStorage.K_SIGNED ? grid.middle() : step == 0 ? 0 : -minimum / step;
    return new ScalarGrid(step, zero, grid.top(), 0, List.of(), 0, 0);
  }

  private ScalarGrid stored(int rowExponent, List<Short> own, int scale, int minimum) {
    return new ScalarGrid(step, zero, top, rowExponent, own, scale, minimum);
  }

  private double error(double[] row, int first, int size, float[] columnWeights) {
    double error = 0;
    for (int c = first; c < first + size; c++) {
      double difference = value(level(row[c])) - row[c];
      error += columnWeights[c] * difference * difference;
    }
    return error;
  }

  private static double[] range(double[] row, int first, int size, GridSpec grid) {
    double low = Double.POSITIVE_INFINITY;
    double high = Double.NEGATIVE_INFINITY;
    for (int c = first; c < first + size; c++) {
      low = Math.min(low, row[c]);
      high = Math.max(high, row[c]);
    }
    double reach = Math.max(-low, high);
    return switch (grid.storage()) {
      case SYMMETRIC -> new double[] {-reach, reach};
      case ZERO_POINT, OFFSET, F16 -> new double[] {Math.min(low, 0), Math.max(high, 0)};
      case K_MINIMUM -> new double[] {Math.min(low, 0), high};
      case F16_MINIMUM, SIGNED, K_SIGNED -> new double[] {low, high};
    };
  }

  /** The step that reaches both ends of a range; of either sign on a signed grid. */
  private static double full(double[] range, GridSpec grid) {
    if (grid.storage() != ScaleStorage.SIGNED && grid.storage() != ScaleStorage.K_SIGNED) {
      return (range[1] - range[0]) / grid.top();
    }
    double below = grid.middle();
    double above = below - 1;
    return -range[0] >= range[1]
        ? Math.max(-range[0] / below, range[1] / above)
        : -Math.max(range[1] / below, -range[0] / above);
  }

  private static ScalarGrid candidate(
      double[] range, double shrink, int exponent, short rowScale, GridSpec grid) {
    double low = range[0];
    double high = range[1];
    int top = grid.top();
    double full = full(range, grid);
    int levels = (1 << grid.scaleBits()) - 1;
    double factor = RowExponents.factor(exponent);
    double scale = Float.float16ToFloat(rowScale) * factor;
    boolean nothing = grid.storage() == ScaleStorage.SYMMETRIC && !(full > 0);
    int least = nothing ? 0 : 1;
    int scaleCode =
        grid.scalesAreF16()
            ? nothing ? 0 : half(full == 0 ? 1 : shrink * full / factor, grid)
            : (int) Math.clamp(Math.rint(shrink * full / scale * levels), least, levels);
    double exact =
        grid.scalesAreF16()
            ? Float.float16ToFloat((short) scaleCode) * factor
            : scaleCode * scale / levels;
    // What decodes among the smallest floats is rounded to them.
    double step = exponent == 0 ? exact : (float) exact;
    double end = low + (high - low) * (1 - shrink) / 2;
    int units = 1 << (8 - grid.bits());
    int zeroCode =
        switch (grid.storage()) {
          case SYMMETRIC, SIGNED, K_MINIMUM, K_SIGNED -> 0;
          case ZERO_POINT, F16 -> (int) Math.clamp(Math.rint(-end / step), 0, top);
          case OFFSET -> (int) Math.clamp(Math.rint(-end / step * units), 0, 255);
          case F16_MINIMUM -> grid.halves().signed(end / factor) & 0xFFFF;
        };
    double zero =
        switch (grid.storage()) {
          case SYMMETRIC -> top / 2.0;
          case SIGNED, K_MINIMUM, K_SIGNED -> grid.middle();
          case ZERO_POINT, F16 -> zeroCode;
          case OFFSET -> (double) zeroCode / units;
          case F16_MINIMUM -> -Float.float16ToFloat((short) zeroCode) * factor / step;
        };
    return new ScalarGrid(step, zero, top, exponent, List.of(rowScale), scaleCode, zeroCode);
  }

  private static int half(double scale, GridSpec grid) {
    short magnitude = grid.halves().positive(Math.abs(scale));
    return scale < 0 ? magnitude | 0x8000 : magnitude;
  }

  static void store(SlabBuffers buffers, int row, ScalarGrid[] grids) {
    int[] scales = new int[grids.length];
    int[] zeros = new int[grids.length];
    for (int g = 0; g < grids.length; g++) {
      scales[g] = grids[g].scaleCode();
      zeros[g] = grids[g].zeroCode();
    }
    short[] own = new short[grids[0].ownScales().size()];
    for (int i = 0; i < own.length; i++) {
      own[i] = grids[0].ownScales().get(i);
    }
    buffers.grid(row, grids[0].exponent(), own, scales, zeros, 0);
  }

  private double steps(double x) {
    return step == 0 ? 0 : x / step;
  }

  /** The nearest level, ties to even. */
  double level(double x) {
    return Math.clamp(Math.rint(steps(x) + zero), 0.0, top);
  }

  /** The same once {@code dither}, between -1/2 and 1/2, is added to the clamped level. */
  double level(double x, double dither) {
    return Math.rint(Math.clamp(steps(x) + zero, 0.0, top) + dither) + 0.0; // no minus zero
  }

  double value(double level) {
    double value = (level - zero) * step;
    return exponent == 0 ? value : (float) value;
  }
}

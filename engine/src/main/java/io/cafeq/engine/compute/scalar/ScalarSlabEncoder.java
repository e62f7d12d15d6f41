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

/** Rounding in doubles, one group and one column at a time. */
public final class ScalarSlabEncoder implements SlabEncoder {
  @Override
  public EncodedSlab encode(
      FloatMatrix weights,
      GridSpec grid,
      SlabTransforms transforms,
      InputMetric metric,
      RoundingRule rule,
      SlabBuffers buffers) {
    double[][] original = load(weights);
    double[][] values = load(weights);
    if (transforms instanceof SlabTransforms.Blocks(Side side, var blocks)) {
      for (BlockTransform block : blocks) {
        apply(values, side, block, block.firstChannel() - blocks.getFirst().firstChannel());
      }
    }
    ScalarGrid[][] grids = new ScalarGrid[values.length][];
    for (int row = 0; row < values.length; row++) {
      grids[row] =
          metric.isNone()
              ? ScalarGrid.choose(values[row], grid)
              : ScalarGrid.choose(values[row], grid, metric.clippingWeights());
      ScalarGrid.store(buffers, row, grids[row]);
    }
    RoundingErrors errors;
    byte[] codes = new byte[weights.columns() + 8];
    double[][] levels = new double[weights.rows()][weights.columns()];
    double outputNorm = 0;
    if (metric.isNone()) {
      errors =
          new RoundingErrors(round(original, values, levels, grids, grid, transforms, rule), 0);
    } else {
      boolean input =
          transforms instanceof SlabTransforms.Blocks(Side side, var blocks) && side == Side.INPUT;
      outputNorm = ScalarMetric.squaredNorm(input ? values : original, metric);
      errors = new ScalarMetric(values, levels, grids, grid, rule).round(transforms, metric);
    }
    for (int row = 0; row < values.length; row++) {
      for (int c = 0; c < weights.columns(); c++) {
        codes[c] = (byte) (int) levels[row][c];
      }
      buffers.codes(row, codes, 0);
    }
    double norm = 0;
    for (double[] row : original) {
      for (double x : row) {
        norm += x * x;
      }
    }
    return buffers.slab(values.length, errors.squared(), norm, errors.output(), outputNorm);
  }

  /**
   * Rounding without a metric of the columns; returns the squared error with the transform undone.
   */
  private static double round(
      double[][] original,
      double[][] values,
      double[][] levels,
      ScalarGrid[][] grids,
      GridSpec grid,
      SlabTransforms transforms,
      RoundingRule rule) {
    int columns = values[0].length;
    double error = 0;
    switch (transforms) {
      case SlabTransforms.None none -> {
        for (int row = 0; row < values.length; row++) {
          for (int c = 0; c < values[row].length; c++) {
            ScalarGrid group = grids[row][c / grid.groupSize(columns)];
            levels[row][c] = level(group, rule, values[row][c], 0, row, c, columns);
            double difference = group.value(levels[row][c]) - original[row][c];
            error += difference * difference;
          }
        }
      }
      case SlabTransforms.Blocks(Side side, var blocks) -> {
        for (BlockTransform block : blocks) {
          error +=
              round(
                  values,
                  levels,
                  grids,
                  grid,
                  side,
                  block.exactTriangle(),
                  block.k(),
                  block.firstChannel() - blocks.getFirst().firstChannel(),
                  rule);
        }
      }
    }
    return error;
  }

  @Override
  public RoundingErrors plainError(FloatMatrix weights, GridSpec grid, InputMetric metric) {
    double error = 0;
    double[][] rows = load(weights);
    for (double[] row : rows) {
      ScalarGrid[] grids = ScalarGrid.choose(row, grid);
      for (int c = 0; c < row.length; c++) {
        ScalarGrid group = grids[c / grid.groupSize(row.length)];
        row[c] = group.value(group.level(row[c])) - row[c];
        error += row[c] * row[c];
      }
    }
    return new RoundingErrors(error, ScalarMetric.squaredNorm(rows, metric));
  }

  @Override
  public RoundingErrors metricError(
      FloatMatrix weights, GridSpec grid, InputMetric metric, RoundingRule rule) {
    if (metric.isNone()) {
      return plainError(weights, grid, metric);
    }
    double[][] values = load(weights);
    ScalarGrid[][] grids = new ScalarGrid[values.length][];
    for (int row = 0; row < values.length; row++) {
      grids[row] = ScalarGrid.choose(values[row], grid, metric.clippingWeights());
    }
    double[][] levels = new double[weights.rows()][weights.columns()];
    return new ScalarMetric(values, levels, grids, grid, rule)
        .round(new SlabTransforms.None(), metric);
  }

  private static double[][] load(FloatMatrix weights) {
    double[][] values = new double[weights.rows()][weights.columns()];
    for (int row = 0; row < weights.rows(); row++) {
      for (int c = 0; c < weights.columns(); c++) {
        values[row][c] = weights.get(row, c);
      }
    }
    return values;
  }

  /**
   * One column of the block: entry j of it lies in row first + j (output) or column first + j
   * (input).
   */
  private static double read(double[][] values, Side side, int channel, int position) {
    return switch (side) {
      case OUTPUT -> values[channel][position];
      case INPUT -> values[position][channel];
    };
  }

  private static void write(double[][] values, Side side, int channel, int position, double value) {
    switch (side) {
      case OUTPUT -> values[channel][position] = value;
      case INPUT -> values[position][channel] = value;
    }
  }

  private static void apply(double[][] values, Side side, BlockTransform block, int first) {
    int k = block.k();
    double[] m = block.exactForward();
    int positions = side == Side.OUTPUT ? values[0].length : values.length;
    double[] column = new double[k];
    for (int position = 0; position < positions; position++) {
      for (int j = 0; j < k; j++) {
        column[j] = 0;
        for (int i = 0; i < k; i++) {
          column[j] += m[j * k + i] * read(values, side, first + i, position);
        }
      }
      for (int j = 0; j < k; j++) {
        write(values, side, first + j, position, column[j]);
      }
    }
  }

  /** Codes of one block in the metric T^T T; returns the squared error in it. */
  static double round(
      double[][] values,
      double[][] levels,
      ScalarGrid[][] grids,
      GridSpec grid,
      Side side,
      double[] t,
      int k,
      int first,
      RoundingRule rule) {
    int columns = values[0].length;
    int positions = side == Side.OUTPUT ? columns : values.length;
    double[] deviation = new double[k];
    double error = 0;
    for (int position = 0; position < positions; position++) {
      for (int j = k - 1; j >= 0; j--) {
        double carried = 0;
        for (int i = j + 1; i < k; i++) {
          carried += t[j * k + i] / t[j * k + j] * deviation[i];
        }
        double v = read(values, side, first + j, position);
        int row = side == Side.OUTPUT ? first + j : position;
        int column = side == Side.OUTPUT ? position : first + j;
        ScalarGrid group = grids[row][column / grid.groupSize(columns)];
        double level = level(group, rule, v, carried, row, column, columns);
        write(levels, side, first + j, position, level);
        deviation[j] = group.value(level) - v;
        double difference = t[j * k + j] * (deviation[j] + carried);
        error += difference * difference;
      }
    }
    return error;
  }

  static double level(
      ScalarGrid group,
      RoundingRule rule,
      double v,
      double carried,
      int row,
      int column,
      int columns) {
    return switch (rule) {
      case RoundingRule.Nearest nearest -> group.level(v);
      case RoundingRule.NearestPlane plane -> group.level(v - carried);
      case RoundingRule.Stochastic drawn -> group.level(v, drawn.dither(row, column, columns));
    };
  }

  @Override
  public void close() {}
}

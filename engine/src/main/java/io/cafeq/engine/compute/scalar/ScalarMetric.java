package io.cafeq.engine.compute.scalar;

import io.cafeq.config.Side;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.rounding.InputMetric;
import io.cafeq.engine.rounding.RoundingErrors;
import io.cafeq.engine.rounding.RoundingRule;
import io.cafeq.engine.rounding.SlabTransforms;
import io.cafeq.engine.transform.BlockTransform;
import io.cafeq.engine.transform.SquareMatrices;
import java.util.List;

/** Nearest plane in the metric of the inputs, one entry at a time with all sums made anew. */
final class ScalarMetric {
  private final double[][] values;
  private final double[][] levels;
  private final ScalarGrid[][] grids;
  private final GridSpec grid;
  private final RoundingRule rule;
  private final double[][] deviations;

  /**
   * @param values V
   * @param levels where codes go
   */
  ScalarMetric(
      double[][] values,
      double[][] levels,
      ScalarGrid[][] grids,
      GridSpec grid,
      RoundingRule rule) {
    this.values = values;
    this.levels = levels;
    this.grids = grids;
    this.grid = grid;
    this.rule = rule;
    deviations = new double[values.length][values[0].length];
  }

  RoundingErrors round(SlabTransforms transforms, InputMetric metric) {
    return switch (transforms) {
      case SlabTransforms.None none -> rows(metric);
      case SlabTransforms.Blocks(Side side, List<BlockTransform> blocks) ->
          switch (side) {
            case INPUT -> {
              double output = rows(metric).output();
              yield new RoundingErrors(undone(blocks), output);
            }
            case OUTPUT -> {
              RoundingErrors sum = new RoundingErrors(0, 0);
              int start = blocks.getFirst().firstChannel();
              for (BlockTransform block : blocks) {
                sum =
                    sum.plus(
                        rows(
                            metric,
                            block.firstChannel() - start,
                            block.k(),
                            block.exactTriangle()));
              }
              yield sum;
            }
          };
    };
  }

  /** Rows that count by themselves. */
  private RoundingErrors rows(InputMetric metric) {
    RoundingErrors sum = new RoundingErrors(0, 0);
    for (int row = 0; row < values.length; row++) {
      sum = sum.plus(rows(metric, row, 1, SquareMatrices.identity(1)));
    }
    return sum;
  }

  /** Rows [first, first + k), whose metric among each other is T^T T. */
  private RoundingErrors rows(InputMetric metric, int first, int k, double[] t) {
    double squared = 0;
    double output = 0;
    for (InputMetric.Block block : metric.blocks()) {
      int n = block.size();
      double[][] mixed = new double[k][n];
      for (int c = n - 1; c >= 0; c--) {
        int channel = block.channels()[c];
        for (int j = k - 1; j >= 0; j--) {
          double above = 0;
          for (int i = j + 1; i < k; i++) {
            above += t[j * k + i] / t[j * k + j] * deviations[first + i][channel];
          }
          double taken = 0;
          for (int d = c + 1; d < n; d++) {
            taken += block.upper().get(c, d) * mixed[j][d];
          }
          mixed[j][c] = roundOne(first + j, channel, taken + above) + above;
          double weight = t[j * k + j] * t[j * k + j];
          squared += weight * mixed[j][c] * mixed[j][c];
          output += weight * block.squares()[c] * (mixed[j][c] + taken) * (mixed[j][c] + taken);
        }
      }
    }
    return new RoundingErrors(squared, output);
  }

  private double roundOne(int row, int channel, double carried) {
    int columns = values[row].length;
    ScalarGrid group = grids[row][channel / grid.groupSize(columns)];
    double level =
        ScalarSlabEncoder.level(group, rule, values[row][channel], carried, row, channel, columns);
    levels[row][channel] = level;
    deviations[row][channel] = group.value(level) - values[row][channel];
    return deviations[row][channel];
  }

  /** Squared error once the transform of the input side is undone. */
  private double undone(List<BlockTransform> blocks) {
    double squared = 0;
    for (BlockTransform block : blocks) {
      int first = block.firstChannel() - blocks.getFirst().firstChannel();
      int k = block.k();
      double[] t = block.exactTriangle();
      for (double[] row : deviations) {
        for (int j = 0; j < k; j++) {
          double sum = 0;
          for (int i = j; i < k; i++) {
            sum += t[j * k + i] * row[first + i];
          }
          squared += sum * sum;
        }
      }
    }
    return squared;
  }

  /** Sum over rows of x^T H x. */
  static double squaredNorm(double[][] rows, InputMetric metric) {
    double sum = 0;
    for (double[] row : rows) {
      for (InputMetric.Block block : metric.blocks()) {
        int n = block.size();
        for (int c = 0; c < n; c++) {
          double entry = 0;
          for (int d = c; d < n; d++) {
            entry += block.upper().get(c, d) * row[block.channels()[d]];
          }
          sum += block.squares()[c] * entry * entry;
        }
      }
    }
    return sum;
  }
}

package io.cafeq.engine.compute.scalar;

import io.cafeq.config.Side;
import io.cafeq.engine.rounding.InputMetric;
import io.cafeq.engine.rounding.RoundingErrors;
import io.cafeq.engine.rounding.RoundingRule;
import io.cafeq.engine.rounding.SlabTransforms;
import io.cafeq.engine.transform.BlockTransform;
import io.cafeq.engine.transform.SquareMatrices;
import java.util.List;

/**
 * Nearest plane in the metric of the inputs, one entry at a time with all sums made anew. In the
 * place of V comes what an entry's deviation and those above it in its block add up to.
 */
final class ScalarMetric {
  private final ScalarSlab slab;
  private final RoundingRule rule;

  ScalarMetric(ScalarSlab slab, RoundingRule rule) {
    this.slab = slab;
    this.rule = rule;
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
    for (int row = 0; row < slab.rows(); row++) {
      sum = sum.plus(rows(metric, row, 1, SquareMatrices.identity(1)));
    }
    return sum;
  }

  /** Rows [first, first + k), whose metric among each other is T^T T. */
  private RoundingErrors rows(InputMetric metric, int first, int k, double[] t) {
    double squared = 0;
    double output = 0;
    double[] deviations = new double[k];
    for (InputMetric.Block block : metric.blocks()) {
      int n = block.size();
      for (int c = n - 1; c >= 0; c--) {
        int channel = block.channels()[c];
        for (int j = k - 1; j >= 0; j--) {
          double above = 0;
          for (int i = j + 1; i < k; i++) {
            above += t[j * k + i] / t[j * k + j] * deviations[i];
          }
          double taken = 0;
          for (int d = c + 1; d < n; d++) {
            taken += block.upper().get(c, d) * slab.values().get(first + j, block.channels()[d]);
          }
          deviations[j] = slab.round(first + j, channel, taken + above, rule);
          double mixed = deviations[j] + above;
          slab.values().set(first + j, channel, mixed);
          double weight = t[j * k + j] * t[j * k + j];
          squared += weight * mixed * mixed;
          output += weight * block.squares()[c] * (mixed + taken) * (mixed + taken);
        }
      }
    }
    return new RoundingErrors(squared, output);
  }

  /** Squared error of rows that count by themselves, once the transform of the input is undone. */
  private double undone(List<BlockTransform> blocks) {
    double squared = 0;
    double[] row = new double[slab.columns()];
    for (BlockTransform block : blocks) {
      int first = block.firstChannel() - blocks.getFirst().firstChannel();
      int k = block.k();
      double[] t = block.exactTriangle();
      for (int i = 0; i < slab.rows(); i++) {
        slab.values().read(i, first, row, k);
        for (int j = 0; j < k; j++) {
          double sum = 0;
          for (int c = j; c < k; c++) {
            sum += t[j * k + c] * row[c];
          }
          squared += sum * sum;
        }
      }
    }
    return squared;
  }

  /** Adds x^T H x of a row to {@code sum}. */
  static double addSquaredNorm(double sum, double[] row, InputMetric metric) {
    double total = sum;
    for (InputMetric.Block block : metric.blocks()) {
      int n = block.size();
      for (int c = 0; c < n; c++) {
        double entry = 0;
        for (int d = c; d < n; d++) {
          entry += block.upper().get(c, d) * row[block.channels()[d]];
        }
        total += block.squares()[c] * entry * entry;
      }
    }
    return total;
  }
}

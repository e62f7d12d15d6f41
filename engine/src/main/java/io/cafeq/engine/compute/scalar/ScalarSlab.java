package io.cafeq.engine.compute.scalar;

import io.cafeq.config.Side;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.memory.DoubleMatrix;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.rounding.InputMetric;
import io.cafeq.engine.rounding.RoundingRule;
import io.cafeq.engine.transform.BlockTransform;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A slab while the reference rounds it: V in doubles, the grids of its rows, its codes. Borrows the
 * arena.
 *
 * @param values V; a metric puts deviations in its place
 * @param codes one byte a weight
 */
record ScalarSlab(DoubleMatrix values, MemorySegment codes, ScalarGrid[][] grids, GridSpec grid) {
  /** V and codes, for each weight. */
  private static final long BYTES_PER_WEIGHT = Double.BYTES + 1;

  /** The weights as they are, without grids. */
  static ScalarSlab of(FloatMatrix weights, GridSpec grid, Arena arena) {
    DoubleMatrix values = DoubleMatrix.allocate(arena, weights.rows(), weights.columns());
    double[] row = new double[weights.columns()];
    for (int i = 0; i < weights.rows(); i++) {
      read(weights, i, row);
      values.write(i, 0, row, row.length);
    }
    return new ScalarSlab(
        values,
        arena.allocate(Math.max(1, weights.elements()), 64),
        new ScalarGrid[weights.rows()][],
        grid);
  }

  /** Native bytes of a slab. */
  static long bytes(int rows, int columns) {
    return BYTES_PER_WEIGHT * rows * columns + 2 * 64;
  }

  /** One row of a matrix in doubles. */
  static void read(FloatMatrix weights, int row, double[] to) {
    for (int c = 0; c < to.length; c++) {
      to[c] = weights.get(row, c);
    }
  }

  int rows() {
    return values.rows();
  }

  int columns() {
    return values.columns();
  }

  /** W of a block's channels becomes V = M W. */
  void apply(Side side, BlockTransform block, int first) {
    int k = block.k();
    double[] m = block.exactForward();
    double[] original = new double[k];
    for (int position = 0; position < positions(side); position++) {
      for (int i = 0; i < k; i++) {
        original[i] = get(side, first + i, position);
      }
      for (int j = 0; j < k; j++) {
        double sum = 0;
        for (int i = 0; i < k; i++) {
          sum += m[j * k + i] * original[i];
        }
        values.set(row(side, first + j, position), column(side, first + j, position), sum);
      }
    }
  }

  /** Chooses the grids of all rows of V. */
  void choose(InputMetric metric) {
    double[] row = new double[columns()];
    for (int i = 0; i < rows(); i++) {
      values.read(i, 0, row, row.length);
      grids[i] =
          metric.isNone()
              ? ScalarGrid.choose(row, grid)
              : ScalarGrid.choose(row, grid, metric.clippingWeights());
    }
  }

  /** Codes of one block in the metric T^T T; returns the squared error in it. */
  double round(Side side, double[] t, int k, int first, RoundingRule rule) {
    double[] deviation = new double[k];
    double error = 0;
    for (int position = 0; position < positions(side); position++) {
      for (int j = k - 1; j >= 0; j--) {
        double carried = 0;
        for (int i = j + 1; i < k; i++) {
          carried += t[j * k + i] / t[j * k + j] * deviation[i];
        }
        deviation[j] =
            round(row(side, first + j, position), column(side, first + j, position), carried, rule);
        double difference = t[j * k + j] * (deviation[j] + carried);
        error += difference * difference;
      }
    }
    return error;
  }

  /**
   * Writes the code of one entry and returns how far its level is off.
   *
   * @param carried what the entries that were rounded before it ask of it
   */
  double round(int row, int column, double carried, RoundingRule rule) {
    ScalarGrid group = grids[row][column / grid.groupSize(columns())];
    double v = values.get(row, column);
    double level =
        switch (rule) {
          case RoundingRule.Nearest nearest -> group.level(v);
          case RoundingRule.NearestPlane plane -> group.level(v - carried);
          case RoundingRule.Stochastic drawn ->
              group.level(v, drawn.dither(row, column, columns()));
        };
    codes.set(ValueLayout.JAVA_BYTE, values.index(row, column), (byte) (int) level);
    return group.value(level) - v;
  }

  private int positions(Side side) {
    return side == Side.OUTPUT ? columns() : rows();
  }

  private double get(Side side, int channel, int position) {
    return values.get(row(side, channel, position), column(side, channel, position));
  }

  private static int row(Side side, int channel, int position) {
    return side == Side.OUTPUT ? channel : position;
  }

  private static int column(Side side, int channel, int position) {
    return side == Side.OUTPUT ? position : channel;
  }
}

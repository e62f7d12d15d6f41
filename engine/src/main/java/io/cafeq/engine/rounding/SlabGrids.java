package io.cafeq.engine.rounding;

import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.grid.GridTile;
import java.util.Arrays;

/**
 * The grids of all groups of a slab; gives tiles their share, with what a stochastic rule draws. On
 * the heap.
 */
final class SlabGrids {
  private float[] steps = new float[0];
  private float[] inverses = new float[0];
  private float[] zeros = new float[0];

  /** Makes room for the grids of that many groups; what was there is lost. */
  void reserve(int groups) {
    if (steps.length < groups) {
      steps = new float[groups];
      inverses = new float[groups];
      zeros = new float[groups];
    }
  }

  /** Takes the grids that the tile has chosen, the first one as number {@code first}. */
  void take(GridTile tile, int first) {
    tile.copyGrids(steps, inverses, zeros, first);
  }

  /** For lanes that are columns [firstColumn, firstColumn + count) of one row. */
  void loadRow(
      GridSpec grid,
      int columns,
      int row,
      int firstColumn,
      int count,
      RoundingRule rule,
      GridLanes lanes) {
    int size = grid.groupSize(columns);
    int base = row * grid.groups(columns);
    for (int l = 0; l < count; ) {
      int group = (firstColumn + l) / size;
      int end = Math.min(count, (group + 1) * size - firstColumn);
      Arrays.fill(lanes.steps(), l, end, steps[base + group]);
      Arrays.fill(lanes.inverses(), l, end, inverses[base + group]);
      Arrays.fill(lanes.zeros(), l, end, zeros[base + group]);
      l = end;
    }
    if (rule instanceof RoundingRule.Stochastic drawn) {
      drawn.fill(lanes.dither(), row, firstColumn, columns, 1, count);
    }
  }

  /** For lanes that are rows [firstRow, firstRow + count) of one column. */
  void loadColumn(
      GridSpec grid,
      int columns,
      int column,
      int firstRow,
      int count,
      RoundingRule rule,
      GridLanes lanes) {
    int groups = grid.groups(columns);
    int at = firstRow * groups + column / grid.groupSize(columns);
    float[] tileSteps = lanes.steps();
    float[] tileInverses = lanes.inverses();
    float[] tileZeros = lanes.zeros();
    for (int l = 0; l < count; l++, at += groups) {
      tileSteps[l] = steps[at];
      tileInverses[l] = inverses[at];
      tileZeros[l] = zeros[at];
    }
    if (rule instanceof RoundingRule.Stochastic drawn) {
      drawn.fill(lanes.dither(), firstRow, column, columns, columns, count);
    }
  }
}

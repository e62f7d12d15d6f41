package io.cafeq.engine.quantize;

import io.cafeq.config.ScaleStorage;
import io.cafeq.engine.grid.GridSpec;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** The grids of plain rounding that a unit is compared with. */
final class PlainGrids {
  private static final int SMALLEST_GROUP = 8;
  private static final List<ScaleStorage> COMPACT =
      List.of(ScaleStorage.ZERO_POINT, ScaleStorage.OFFSET, ScaleStorage.SYMMETRIC);

  private PlainGrids() {}

  /**
   * Same bits and group without a transform. A symmetric grid is for transformed blocks; plain
   * rounding is best served by a zero point.
   */
  static GridSpec sameGroup(GridSpec grid, boolean clip) {
    ScaleStorage storage =
        grid.storage() == ScaleStorage.SYMMETRIC ? ScaleStorage.ZERO_POINT : grid.storage();
    return new GridSpec(grid.bits(), grid.group(), storage, grid.scaleBits(), clip, grid.halves());
  }

  /**
   * Clipped grids of the same bits whose totals for {@code rows} rows are at most {@code budget}
   * bits: for each storage the smallest group that fits. An f16 storage is a target format's choice
   * and stays.
   */
  static List<GridSpec> within(GridSpec grid, long rows, int columns, long budget) {
    List<ScaleStorage> storages =
        switch (grid.storage()) {
          case F16, F16_MINIMUM, SIGNED, K_MINIMUM, K_SIGNED -> List.of(grid.storage());
          case SYMMETRIC, ZERO_POINT, OFFSET -> COMPACT;
        };
    List<GridSpec> grids = new ArrayList<>();
    for (ScaleStorage storage : storages) {
      smallestGroup(grid, storage, rows, columns, budget, grids);
    }
    return grids;
  }

  /** Columns of the smallest group among a grid and those of {@link #within}. */
  static int leastGroup(GridSpec grid, long rows, int columns, long budget) {
    return Stream.concat(Stream.of(grid), within(grid, rows, columns, budget).stream())
        .mapToInt(each -> each.groupSize(columns))
        .min()
        .orElseThrow();
  }

  private static void smallestGroup(
      GridSpec grid,
      ScaleStorage storage,
      long rows,
      int columns,
      long budget,
      List<GridSpec> grids) {
    for (int group = SMALLEST_GROUP; group <= columns; group++) {
      if (columns % group != 0) {
        continue;
      }
      GridSpec candidate =
          new GridSpec(
              grid.bits(),
              group == columns && grid.group() != columns ? 0 : group,
              storage,
              grid.scaleBits(),
              true,
              grid.halves());
      if (rows * candidate.bitsPerRow(columns) <= budget) {
        grids.add(candidate);
        return;
      }
    }
  }
}

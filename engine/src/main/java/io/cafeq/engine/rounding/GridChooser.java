package io.cafeq.engine.rounding;

import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.grid.GridTile;
import io.cafeq.engine.grid.LaneLoops;
import io.cafeq.engine.grid.SlabBuffers;
import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Chooses the grids of slabs, tile by tile. On the heap, reused; not thread-safe. */
final class GridChooser {
  /** Tiles are large and soon made, and a budget is planned with a hundred grids for each piece. */
  static final int KEPT_TILES = 4;

  private final Map<TileKey, GridTile> tiles =
      new LinkedHashMap<>(16, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<TileKey, GridTile> eldest) {
          return size() > KEPT_TILES;
        }
      };
  private final SlabGrids grids = new SlabGrids();
  private float[] rows = new float[0];

  private record TileKey(GridSpec grid, int columns) {}

  /** What was chosen last. */
  SlabGrids grids() {
    return grids;
  }

  /** To be used up before tiles of other grids are asked for. */
  GridTile tile(GridSpec grid, int columns) {
    return tiles.computeIfAbsent(
        new TileKey(grid, columns), key -> new GridTile(key.grid(), key.columns()));
  }

  /** Some rows of a matrix, one after the other; good until the next call. */
  float[] rows(FloatMatrix matrix, int first, int count) {
    int length = count * matrix.columns();
    if (rows.length < length) {
      rows = new float[length];
    }
    long from = (long) Float.BYTES * first * matrix.columns();
    MemorySegment.copy(matrix.segment(), ValueLayout.JAVA_FLOAT, from, rows, 0, length);
    return rows;
  }

  /**
   * Grids of V for all rows.
   *
   * @param buffers where they go, if they go anywhere
   * @param metric that weighs the errors of the columns
   * @return the squared norm of the weights
   */
  double choose(
      FloatMatrix weights,
      FloatMatrix values,
      GridSpec grid,
      @Nullable SlabBuffers buffers,
      InputMetric metric) {
    int columns = values.columns();
    int groups = grid.groups(columns);
    grids.reserve(values.rows() * groups);
    GridTile tile = tile(grid, columns);
    double norm = 0;
    for (int first = 0; first < values.rows(); first += tile.maximumRows()) {
      int count = Math.min(tile.maximumRows(), values.rows() - first);
      norm += squaredNorm(rows(weights, first, count), count * columns);
      tile.load(rows(values, first, count), count);
      if (metric.isNone()) {
        tile.choose();
      } else {
        tile.choose(metric.clippingWeights());
      }
      if (buffers != null) {
        tile.store(buffers, first);
      }
      grids.take(tile, first * groups);
    }
    return norm;
  }

  /** Sum of squares in 512 fixed lanes. */
  double squaredNorm(float[] values, int count) {
    int lanes = 512;
    float[] piece = Arrays.copyOf(values, lanes);
    float[] sums = new float[lanes];
    double total = 0;
    for (int at = 0; at < count; at += lanes) {
      int length = Math.min(lanes, count - at);
      System.arraycopy(values, at, piece, 0, length);
      LaneLoops.addSquares(piece, sums, length);
    }
    for (float sum : sums) {
      total += sum;
    }
    return total;
  }
}

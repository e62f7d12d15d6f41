package io.cafeq.engine.compute.nd4j;

import io.cafeq.engine.grid.LaneLoops;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.transform.LearnProblem;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * W of an output-side block, divided by its RMS and cut into tiles. Columns are permuted so that
 * entry e of several groups (or of several parts of one long group) of all k rows is together: a
 * lane is (part, row), and a tile is [entries, lanes] in memory, which is [columns, k] for the
 * matrix products. Owns the tiles.
 */
final class RowTiles implements AutoCloseable {
  private static final int LANES = 512;
  private static final int TILE_COLUMNS = 1024;

  private final LearnProblem.Rows problem;
  private final int k;
  private final int size;
  private final int groups;
  private final boolean longGroups;
  private final int parts;
  private final int entries;
  private final int tilesPerGroup;
  private final List<NativeMatrix> weights = new ArrayList<>();

  RowTiles(LearnProblem.Rows problem) {
    this.problem = problem;
    k = problem.k();
    size = problem.groupSize();
    groups = problem.n() / size;
    int columns = Math.max(TILE_COLUMNS, 4 * k);
    longGroups = size > columns;
    // Tiles are made equal, so that little of the last one is empty.
    if (longGroups) {
      int tiles = (size + columns - 1) / columns;
      parts = Math.max(1, LANES / k);
      entries = (size + tiles * parts - 1) / (tiles * parts);
      tilesPerGroup = (size + entries * parts - 1) / (entries * parts);
    } else {
      int most = Math.clamp(columns / size, 1, groups);
      int tiles = (groups + most - 1) / most;
      parts = (groups + tiles - 1) / tiles;
      entries = size;
      tilesPerGroup = 0;
    }
    load();
  }

  /** W as tiles [entries * parts, k], divided by its RMS; columns beyond the end are zero. */
  private void load() {
    FloatMatrix matrix = problem.weights();
    float scale = Normalisation.inverseRms(matrix);
    int tiles = longGroups ? groups * tilesPerGroup : (groups + parts - 1) / parts;
    int width = entries * parts;
    float[][] columns = new float[width][k];
    for (int tile = 0; tile < tiles; tile++) {
      int first =
          longGroups ? tile / tilesPerGroup * size + tile % tilesPerGroup * width : tile * width;
      int end = longGroups ? (tile / tilesPerGroup + 1) * size : problem.n();
      int count = Math.min(width, end - first);
      columnsOfWeights(matrix, first, count, columns);
      for (int c = 0; c < width; c++) {
        if (c < count) {
          LaneLoops.scale(columns[c], problem.evenColumns() ? inverseRms(columns[c]) : scale, k);
        } else {
          Arrays.fill(columns[c], 0);
        }
      }
      NativeMatrix part = new NativeMatrix(width, k);
      for (int e = 0; e < entries; e++) {
        for (int i = 0; i < parts; i++) {
          part.set(((long) e * parts + i) * k, columns[i * entries + e], k);
        }
      }
      weights.add(part);
    }
  }

  /** Columns [first, first + count) of the block as arrays of length k. */
  private void columnsOfWeights(FloatMatrix matrix, int first, int count, float[][] columns) {
    if (problem.transposed()) {
      for (int c = 0; c < count; c++) {
        MemorySegment.copy(
            matrix.segment(), ValueLayout.JAVA_FLOAT, 4L * k * (first + c), columns[c], 0, k);
      }
      return;
    }
    float[] piece = new float[count];
    for (int j = 0; j < k; j++) {
      MemorySegment.copy(
          matrix.segment(),
          ValueLayout.JAVA_FLOAT,
          4L * ((long) j * problem.n() + first),
          piece,
          0,
          count);
      for (int c = 0; c < count; c++) {
        columns[c][j] = piece[c];
      }
    }
  }

  private static float inverseRms(float[] column) {
    double total = 0;
    for (float x : column) {
      total += (double) x * x;
    }
    return total > 0 ? (float) (1 / Math.sqrt(total / column.length)) : 0;
  }

  int count() {
    return weights.size();
  }

  NativeMatrix get(int tile) {
    return weights.get(tile);
  }

  /** Whether a group spans tiles, {@link #perGroup} of them; else a tile holds whole groups. */
  boolean longGroups() {
    return longGroups;
  }

  int perGroup() {
    return tilesPerGroup;
  }

  int groups() {
    return groups;
  }

  /** Entries of a lane. */
  int entries() {
    return entries;
  }

  /** Columns of W that a tile holds. */
  int columns() {
    return entries * parts;
  }

  int lanes() {
    return parts * k;
  }

  @Override
  public void close() {
    weights.forEach(NativeMatrix::close);
  }
}

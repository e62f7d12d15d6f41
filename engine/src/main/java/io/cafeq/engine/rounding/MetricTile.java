package io.cafeq.engine.rounding;

import io.cafeq.engine.grid.LaneLoops;
import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * Some columns of some rows of V, a batch of the metric's places: each column an array of its own
 * whose lanes are rows. On the heap, reused.
 *
 * <p>With D = (unit upper T) (rounded - V) the target of an entry (row i, place c) is v_ic -
 * sum_{d>c} U_cd D_id - sum_{j>i} T_ij/T_ii Delta_jc. What places beyond the batch take away comes
 * from the caller.
 */
final class MetricTile {
  /** Places of a batch. */
  static final int BATCH = 128;

  private final float[][] values;
  private final float[][] carried;
  private final float[][] carriedOn;
  private final byte[][] codes;
  private final float[] levels;
  private final float[] above;
  private final float[] error;
  private final float[] outputError;
  private final float[] line = new float[BATCH];
  private final byte[] codeLine = new byte[BATCH];
  private final GridLanes grids;
  private final float[][] corner = new float[BATCH][BATCH];

  MetricTile(int lanes) {
    values = new float[BATCH][lanes];
    carried = new float[BATCH][lanes];
    carriedOn = new float[BATCH][lanes];
    codes = new byte[BATCH][lanes];
    levels = new float[lanes];
    above = new float[lanes];
    error = new float[lanes];
    outputError = new float[lanes];
    grids = new GridLanes(lanes);
  }

  GridLanes grids() {
    return grids;
  }

  /** Most lanes. */
  int lanes() {
    return levels.length;
  }

  /**
   * Where a batch is: places [first, first + width) of a block of the metric, rows [row, row +
   * rows) of the slab.
   */
  record Place(InputMetric.Block block, int first, int width, int row, int rows) {}

  /** Takes V, and from the places' columns of {@code taken} what the batches beyond take away. */
  void load(Place place, FloatMatrix slab, FloatMatrix taken) {
    int[] channels = place.block().channels();
    for (int l = 0; l < place.rows(); l++) {
      long row = (long) (place.row() + l) * slab.columns();
      for (int c = 0; c < place.width(); c++) {
        values[c][l] =
            slab.segment().getAtIndex(ValueLayout.JAVA_FLOAT, row + channels[place.first() + c]);
      }
      long from = (long) l * taken.columns() + place.first();
      MemorySegment.copy(
          taken.segment(), ValueLayout.JAVA_FLOAT, Float.BYTES * from, line, 0, place.width());
      for (int c = 0; c < place.width(); c++) {
        carried[c][l] = line[c];
      }
    }
    FloatMatrix upper = place.block().upper();
    for (int c = 0; c < place.width(); c++) {
      long from = (long) (place.first() + c) * upper.columns() + place.first();
      MemorySegment.copy(
          upper.segment(), ValueLayout.JAVA_FLOAT, Float.BYTES * from, corner[c], 0, place.width());
    }
  }

  /**
   * Puts the deviations in the place of V, the codes beside them, and D into the rows of {@code
   * deviations}.
   */
  void store(Place place, FloatMatrix slab, MemorySegment slabCodes, FloatMatrix deviations) {
    int[] channels = place.block().channels();
    for (int l = 0; l < place.rows(); l++) {
      long row = (long) (place.row() + l) * slab.columns();
      for (int c = 0; c < place.width(); c++) {
        int channel = channels[place.first() + c];
        slab.segment().setAtIndex(ValueLayout.JAVA_FLOAT, row + channel, values[c][l]);
        slabCodes.set(ValueLayout.JAVA_BYTE, row + channel, codes[c][l]);
        line[c] = carriedOn[c][l];
      }
      MemorySegment.copy(
          line,
          0,
          deviations.segment(),
          ValueLayout.JAVA_FLOAT,
          (long) Float.BYTES * l * deviations.columns(),
          place.width());
    }
  }

  /** Fills {@link #grids} for a channel. */
  interface Grids {
    void load(int channel);
  }

  /**
   * Rounds the batch, last place first.
   *
   * @return squared errors in the metric of the rows, and in that of rows and channels
   */
  RoundingErrors round(Place place, ChunkBlocks blocks, RoundingRule rule, int top, Grids source) {
    int rows = place.rows();
    Arrays.fill(error, 0, rows, 0);
    Arrays.fill(outputError, 0, rows, 0);
    double output = 0;
    for (int c = place.width() - 1; c >= 0; c--) {
      source.load(place.block().channels()[place.first() + c]);
      for (int d = c + 1; d < place.width(); d++) {
        LaneLoops.addScaled(carried[c], carriedOn[d], corner[c][d], rows);
      }
      if (blocks.sizes().isEmpty()) {
        roundColumn(c, rule, top, rows);
      } else {
        roundBlocks(c, blocks, rule, top);
      }
      LaneLoops.addWeightedSquares(carriedOn[c], carried[c], blocks.squares(), outputError, rows);
      output += sum(outputError, rows) * place.block().squares()[place.first() + c];
      Arrays.fill(outputError, 0, rows, 0);
      Arrays.fill(above, 0, rows, 0);
      LaneLoops.addWeightedSquares(carriedOn[c], above, blocks.squares(), error, rows);
    }
    return new RoundingErrors(sum(error, rows), output);
  }

  private void roundColumn(int c, RoundingRule rule, int top, int rows) {
    float[] column = values[c];
    float[] inverses = grids.inverses();
    float[] zeros = grids.zeros();
    switch (rule) {
      case RoundingRule.Nearest nearest ->
          LaneLoops.levels(column, inverses, zeros, top, levels, rows);
      case RoundingRule.NearestPlane plane ->
          LaneLoops.levels(column, carried[c], inverses, zeros, top, levels, rows);
      case RoundingRule.Stochastic drawn ->
          LaneLoops.ditheredLevels(column, grids.dither(), inverses, zeros, top, levels, rows);
    }
    LaneLoops.toBytes(levels, codes[c], rows);
    LaneLoops.toDeviation(column, levels, zeros, grids.steps(), rows);
    System.arraycopy(column, 0, carriedOn[c], 0, rows);
  }

  /**
   * One column where rows correct each other: row after row, and from each one loop over those
   * above it.
   */
  private void roundBlocks(int c, ChunkBlocks blocks, RoundingRule rule, int top) {
    float[] column = values[c];
    float[] taken = carried[c];
    int first = 0;
    for (int k : blocks.sizes()) {
      Arrays.fill(above, 0, k, 0);
      for (int j = k - 1; j >= 0; j--) {
        int l = first + j;
        float zero = grids.zeros()[l];
        float inverse = grids.inverses()[l];
        float level =
            switch (rule) {
              case RoundingRule.Nearest nearest ->
                  LaneLoops.level(column[l], 0, inverse, zero, top);
              case RoundingRule.NearestPlane plane ->
                  LaneLoops.level(column[l], taken[l] + above[j], inverse, zero, top);
              case RoundingRule.Stochastic drawn ->
                  LaneLoops.ditheredLevel(column[l], grids.dither()[l], inverse, zero, top);
            };
        float deviation = (level - zero) * grids.steps()[l] - column[l];
        codes[c][l] = (byte) (int) level;
        column[l] = deviation;
        carriedOn[c][l] = deviation + above[j];
        LaneLoops.addScaled(above, blocks.corrections(l), deviation, j);
      }
      first += k;
    }
  }

  private static double sum(float[] lanes, int count) {
    double sum = 0;
    for (int l = 0; l < count; l++) {
      sum += lanes[l];
    }
    return sum;
  }
}

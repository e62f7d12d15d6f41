package io.cafeq.engine.rounding;

import io.cafeq.engine.grid.LaneLoops;
import io.cafeq.engine.transform.BlockTransform;
import java.util.Arrays;
import java.util.Optional;

/**
 * Some lanes of one block: {@code k} rows of up to {@link #lanes} entries, each row an array of its
 * own. The lanes are columns of W on the output side and rows of W on the input side. On the heap,
 * reused.
 */
final class BlockTile {
  private static final int WEIGHTS = 1 << 16;
  private static final int MOST_LANES = 512;
  private static final int FEWEST_LANES = 64;

  private final int lanes;
  private final float[][] entries;
  private final float[][] transformed;
  private final byte[][] codes;
  private final float[] carried;
  private final float[] levels;
  private final float[] error;
  private final GridLanes grids;
  private final float[] map;

  BlockTile(int k) {
    lanes = Math.clamp(WEIGHTS / k, FEWEST_LANES, MOST_LANES);
    entries = new float[k][lanes];
    transformed = new float[k][lanes];
    codes = new byte[k][lanes];
    carried = new float[lanes];
    levels = new float[lanes];
    error = new float[lanes];
    grids = new GridLanes(lanes);
    map = new float[k * k];
  }

  /** Most lanes at a time. */
  int lanes() {
    return lanes;
  }

  /** The block's rows before the transform, to be filled by the caller. */
  float[][] entries() {
    return entries;
  }

  /** The rows of V. */
  float[][] transformed() {
    return transformed;
  }

  byte[][] codes() {
    return codes;
  }

  GridLanes grids() {
    return grids;
  }

  /** V = M W for the first {@code count} lanes. */
  void apply(BlockTransform block, int count) {
    int k = block.k();
    Optional<byte[]> signs = block.signs();
    if (signs.isPresent()) {
      hadamard(signs.get(), k, count);
      return;
    }
    block.readForward(map);
    for (int j = 0; j < k; j++) {
      float[] row = transformed[j];
      Arrays.fill(row, 0, count, 0);
      for (int i = 0; i < k; i++) {
        LaneLoops.addScaled(row, entries[i], map[j * k + i], count);
      }
    }
  }

  private void hadamard(byte[] signs, int k, int count) {
    float scale = (float) (1 / Math.sqrt(k));
    for (int j = 0; j < k; j++) {
      System.arraycopy(entries[j], 0, transformed[j], 0, count);
      boolean minus = (signs[j / 8] >> (j % 8) & 1) == 1;
      LaneLoops.scale(transformed[j], minus ? -scale : scale, count);
    }
    for (int half = 1; half < k; half *= 2) {
      for (int j = 0; j < k; j++) {
        if ((j & half) == 0) {
          LaneLoops.butterfly(transformed[j], transformed[j + half], count);
        }
      }
    }
  }

  /** Fills {@link #grids} for a row of V. */
  interface Grids {
    void load(int row);
  }

  /**
   * Rounds V (rows last to first, each corrected for those already rounded in nearest plane) to
   * {@link #codes} and returns the squared error in the block's metric: the sum over j of T_jj^2
   * (d_j + sum_{i>j} T_ji/T_jj d_i)^2. V is overwritten by the deviations d.
   */
  double round(BlockTransform block, RoundingRule rule, int top, int count, Grids source) {
    int k = block.k();
    boolean corrected = block.signs().isEmpty();
    if (corrected) {
      block.readCorrection(map);
    }
    clear(count);
    for (int j = k - 1; j >= 0; j--) {
      source.load(j);
      if (corrected) {
        Arrays.fill(carried, 0, count, 0);
        for (int i = j + 1; i < k; i++) {
          LaneLoops.addScaled(carried, transformed[i], map[j * k + i], count);
        }
      }
      roundRow(j, rule, top, count, block.diagonal()[j] * block.diagonal()[j]);
    }
    return sumOfErrors(count);
  }

  /** The squared error of deviations that are in the place of V, in the block's metric. */
  double squaredError(BlockTransform block, int count) {
    int k = block.k();
    boolean corrected = block.signs().isEmpty();
    if (corrected) {
      block.readCorrection(map);
    }
    clear(count);
    for (int j = k - 1; j >= 0; j--) {
      if (corrected) {
        Arrays.fill(carried, 0, count, 0);
        for (int i = j + 1; i < k; i++) {
          LaneLoops.addScaled(carried, transformed[i], map[j * k + i], count);
        }
      }
      LaneLoops.addErrors(
          transformed[j], carried, block.diagonal()[j] * block.diagonal()[j], error, count);
    }
    return sumOfErrors(count);
  }

  /** Rounds the first row alone, which no transform has touched; returns the squared error. */
  double roundPlain(RoundingRule rule, int top, int count, Grids source) {
    clear(count);
    source.load(0);
    roundRow(0, rule, top, count, 1);
    return sumOfErrors(count);
  }

  private void clear(int count) {
    Arrays.fill(error, 0, count, 0);
    Arrays.fill(carried, 0, count, 0);
  }

  private void roundRow(int j, RoundingRule rule, int top, int count, float weight) {
    float[] row = transformed[j];
    float[] inverses = grids.inverses();
    float[] zeros = grids.zeros();
    switch (rule) {
      case RoundingRule.Nearest nearest ->
          LaneLoops.levels(row, inverses, zeros, top, levels, count);
      case RoundingRule.NearestPlane plane ->
          LaneLoops.levels(row, carried, inverses, zeros, top, levels, count);
      case RoundingRule.Stochastic drawn ->
          LaneLoops.ditheredLevels(row, grids.dither(), inverses, zeros, top, levels, count);
    }
    LaneLoops.toBytes(levels, codes[j], count);
    LaneLoops.toDeviation(row, levels, zeros, grids.steps(), count);
    LaneLoops.addErrors(row, carried, weight, error, count);
  }

  private double sumOfErrors(int count) {
    double sum = 0;
    for (int l = 0; l < count; l++) {
      sum += error[l];
    }
    return sum;
  }
}

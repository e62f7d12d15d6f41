package io.cafeq.engine.grid;

import org.jspecify.annotations.Nullable;

/** Weights of errors in the lanes of a {@link GridTile}: one per column, the same for all rows. */
final class LaneWeights {
  private final int laneLength;
  private final int lanes;
  private final int lanesOfRow;
  private float[][] entries = new float[0][];
  private float @Nullable [] spread;

  LaneWeights(int laneLength, int lanes, int lanesOfRow) {
    this.laneLength = laneLength;
    this.lanes = lanes;
    this.lanesOfRow = lanesOfRow;
  }

  /** One weight for each entry and lane; made again only for other weights. */
  float[][] of(float[] weightsOfColumns) {
    if (weightsOfColumns == spread) {
      return entries;
    }
    if (entries.length == 0) {
      entries = new float[laneLength][lanes];
    }
    for (int e = 0; e < laneLength; e++) {
      for (int l = 0; l < lanes; l++) {
        entries[e][l] = weightsOfColumns[l % lanesOfRow * laneLength + e];
      }
    }
    spread = weightsOfColumns;
    return entries;
  }
}

package io.cafeq.engine.compute.nd4j;

import io.cafeq.engine.grid.LaneLoops;
import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Scaling before learning, so that rates and thresholds do not depend on the size of the weights.
 */
final class Normalisation {
  private static final int LANES = 512;

  private Normalisation() {}

  /** 1 / RMS of all entries, 0 for a matrix of zeros; summed in fixed lanes. */
  static float inverseRms(FloatMatrix matrix) {
    float[] piece = new float[LANES];
    float[] sums = new float[LANES];
    double total = 0;
    int pieces = 0;
    for (long at = 0; at < matrix.elements(); at += LANES) {
      int count = (int) Math.min(LANES, matrix.elements() - at);
      MemorySegment.copy(
          matrix.segment(), ValueLayout.JAVA_FLOAT, at * Float.BYTES, piece, 0, count);
      LaneLoops.addSquares(piece, sums, count);
      if (++pieces == 64) { // few enough additions in float
        total += drain(sums);
        pieces = 0;
      }
    }
    total += drain(sums);
    return total > 0 ? (float) (1 / Math.sqrt(total / matrix.elements())) : 0;
  }

  private static double drain(float[] sums) {
    double total = 0;
    for (int l = 0; l < sums.length; l++) {
      total += sums[l];
      sums[l] = 0;
    }
    return total;
  }

  static float[] floats(double[] values) {
    float[] floats = new float[values.length];
    for (int i = 0; i < values.length; i++) {
      floats[i] = (float) values[i];
    }
    return floats;
  }
}

package io.cafeq.engine.rounding;

import io.cafeq.engine.memory.DoubleMatrix;
import io.cafeq.engine.statistics.InputMoments;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Moments as they are. */
record MomentMatrix(InputMoments.Block block) implements MetricFactors.Matrix {
  @Override
  public int firstChannel() {
    return block.firstChannel();
  }

  @Override
  public int channels() {
    return block.channels();
  }

  @Override
  public double[] diagonal(double raised) {
    double[] diagonal = new double[channels()];
    for (int i = 0; i < diagonal.length; i++) {
      diagonal[i] = block.moments().get(i, i) + raised;
    }
    return diagonal;
  }

  @Override
  public void fill(double raised, int[] order, DoubleMatrix to) {
    int n = channels();
    float[] row = new float[n];
    double[] filled = new double[n];
    for (int i = 0; i < n; i++) {
      MemorySegment.copy(
          block.moments().segment(),
          ValueLayout.JAVA_FLOAT,
          (long) Float.BYTES * order[i] * n,
          row,
          0,
          n);
      for (int j = i; j < n; j++) {
        filled[j] = row[order[j]];
      }
      filled[i] += raised;
      to.write(i, 0, filled, n);
    }
  }
}

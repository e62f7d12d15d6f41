package io.cafeq.engine.forward;

import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Sums and copies of float matrices in native memory, by way of small tiles. */
final class Rows {
  private static final int TILE = 4096;

  private Rows() {}

  /** to += from, element by element. */
  static void add(FloatMatrix to, FloatMatrix from) {
    float[] sums = new float[TILE];
    float[] others = new float[TILE];
    for (long done = 0; done < to.elements(); done += TILE) {
      int count = (int) Math.min(TILE, to.elements() - done);
      MemorySegment.copy(to.segment(), ValueLayout.JAVA_FLOAT, done * Float.BYTES, sums, 0, count);
      MemorySegment.copy(
          from.segment(), ValueLayout.JAVA_FLOAT, done * Float.BYTES, others, 0, count);
      for (int i = 0; i < count; i++) {
        sums[i] += others[i];
      }
      MemorySegment.copy(sums, 0, to.segment(), ValueLayout.JAVA_FLOAT, done * Float.BYTES, count);
    }
  }

  /** A row of one matrix += factor times a row of another. */
  static void addScaled(FloatMatrix to, int row, FloatMatrix from, int other, float factor) {
    for (int i = 0; i < to.columns(); i++) {
      to.set(row, i, to.get(row, i) + factor * from.get(other, i));
    }
  }

  static void scale(FloatMatrix matrix, float factor) {
    for (long i = 0; i < matrix.elements(); i++) {
      matrix
          .segment()
          .setAtIndex(
              ValueLayout.JAVA_FLOAT,
              i,
              matrix.segment().getAtIndex(ValueLayout.JAVA_FLOAT, i) * factor);
    }
  }

  /** A row becomes that of a matrix of equal columns. */
  static void copy(FloatMatrix from, int row, FloatMatrix to, int other) {
    copy(from, row, to, other, 0);
  }

  /** A row becomes part of a row of a wider matrix. */
  static void copy(FloatMatrix from, int row, FloatMatrix to, int other, int firstColumn) {
    long bytes = (long) from.columns() * Float.BYTES;
    long at = ((long) other * to.columns() + firstColumn) * Float.BYTES;
    MemorySegment.copy(from.segment(), row * bytes, to.segment(), at, bytes);
  }
}

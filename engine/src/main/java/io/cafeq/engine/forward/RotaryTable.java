package io.cafeq.engine.forward;

import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Cosines and sines of rotary embedding, [positions, half a head] each. Borrows its memory.
 *
 * @param cosines times what queries and keys are multiplied by besides
 * @param sines the same
 */
record RotaryTable(FloatMatrix cosines, FloatMatrix sines) {
  int pairs() {
    return cosines.columns();
  }

  /** The cosines, then the sines of a position. */
  void copy(int position, float[] both) {
    long at = (long) position * pairs() * Float.BYTES;
    MemorySegment.copy(cosines.segment(), ValueLayout.JAVA_FLOAT, at, both, 0, pairs());
    MemorySegment.copy(sines.segment(), ValueLayout.JAVA_FLOAT, at, both, pairs(), pairs());
  }

  /** Turns the head that begins at {@code first}. */
  static void turn(float[] values, int first, int pairs, float[] both) {
    for (int i = 0; i < pairs; i++) {
      float x = values[first + i];
      float y = values[first + i + pairs];
      values[first + i] = x * both[i] - y * both[pairs + i];
      values[first + i + pairs] = y * both[i] + x * both[pairs + i];
    }
  }
}

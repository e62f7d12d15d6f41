package io.cafeq.engine.forward;

import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Optional;

/**
 * What happens to queries or keys before they meet: a norm for each head where there is one, then
 * rotary embedding.
 */
record HeadPlacing(int size, RotaryTable rotary, Optional<RootMeanSquare> norm) {
  /** In place; rows are tokens. */
  void apply(FloatMatrix heads, Attending attending) {
    int width = heads.columns();
    float[] row = new float[width];
    float[] angles = new float[2 * rotary.pairs()];
    for (int token = 0; token < heads.rows(); token++) {
      long at = (long) token * width * Float.BYTES;
      MemorySegment.copy(heads.segment(), ValueLayout.JAVA_FLOAT, at, row, 0, width);
      rotary.copy(attending.position(token), angles);
      for (int first = 0; first < width; first += size) {
        if (norm.isPresent()) {
          norm.get().apply(row, first);
        }
        RotaryTable.turn(row, first, rotary.pairs(), angles);
      }
      MemorySegment.copy(row, 0, heads.segment(), ValueLayout.JAVA_FLOAT, at, width);
    }
  }
}

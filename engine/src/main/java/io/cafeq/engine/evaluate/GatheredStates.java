package io.cafeq.engine.evaluate;

import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.Arena;

/**
 * Last states from several windows, together for one pass over the vocabulary. The arena owns the
 * memory.
 */
final class GatheredStates {
  private final FloatMatrix room;
  private int count;

  GatheredStates(Arena arena, int rows, int hidden) {
    this.room = FloatMatrix.allocate(arena, rows, hidden);
  }

  static long bytes(int rows, int hidden) {
    return (long) rows * hidden * Float.BYTES;
  }

  boolean hasRoom(int rows) {
    return rows <= room.rows() - count;
  }

  void add(FloatMatrix states, int first, int rows) {
    room.slice(count, rows).segment().copyFrom(states.slice(first, rows).segment());
    count += rows;
  }

  /** All that was added, which then makes room for others. */
  FloatMatrix take() {
    FloatMatrix all = room.slice(0, count);
    count = 0;
    return all;
  }
}

package io.cafeq.engine.rounding;

import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * Native room for V and the codes of one slab, reused and made anew only for larger slabs. Owns its
 * memory.
 */
final class SlabScratch implements AutoCloseable {
  private @Nullable Room room;

  private record Room(Arena arena, long weights, MemorySegment values, MemorySegment codes) {}

  /** V; what was there is still there for the same shape. */
  FloatMatrix values(int rows, int columns) {
    long weights = (long) rows * columns;
    return new FloatMatrix(room(weights).values().asSlice(0, Float.BYTES * weights), rows, columns);
  }

  /** One byte a weight. */
  MemorySegment codes(int rows, int columns) {
    return room((long) rows * columns).codes();
  }

  private Room room(long weights) {
    Room present = room;
    if (present != null && present.weights() >= weights) {
      return present;
    }
    close();
    Arena arena = Arena.ofShared();
    Room made =
        new Room(
            arena, weights, arena.allocate(Float.BYTES * weights, 64), arena.allocate(weights, 64));
    room = made;
    return made;
  }

  /** Native bytes for a slab. */
  static long bytes(int rows, int columns) {
    return 5L * rows * columns;
  }

  @Override
  public void close() {
    Room present = room;
    room = null;
    if (present != null) {
      present.arena().close();
    }
  }
}

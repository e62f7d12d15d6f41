package io.cafeq.engine.forward;

import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Native memory for what a layer computes on the way, given out and taken back like a stack. Its
 * content is undefined at first. The arena owns the memory; not thread-safe.
 */
final class Workspace {
  private static final long ALIGNMENT = 64;

  private final MemorySegment memory;
  private long used;

  Workspace(Arena arena, long bytes) {
    this.memory = arena.allocate(bytes, ALIGNMENT);
  }

  /** Bytes that a matrix takes here. */
  static long bytes(long rows, long columns) {
    return Math.ceilDiv(rows * columns * Float.BYTES, ALIGNMENT) * ALIGNMENT;
  }

  FloatMatrix matrix(int rows, int columns) {
    long bytes = bytes(rows, columns);
    if (bytes > memory.byteSize() - used) {
      throw new IllegalStateException(
          "a workspace of %d bytes has no %d left, %d are used"
              .formatted(memory.byteSize(), bytes, used));
    }
    FloatMatrix matrix =
        new FloatMatrix(memory.asSlice(used, (long) rows * columns * Float.BYTES), rows, columns);
    used += bytes;
    return matrix;
  }

  /** Where the stack ends now. */
  long mark() {
    return used;
  }

  /** Takes back what was given out since the mark. */
  void release(long mark) {
    used = mark;
  }
}

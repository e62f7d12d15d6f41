package io.cafeq.engine.forward;

import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * The rows of matrices as floats, slab by slab: about a million weights each, as their shape alone
 * tells. What was read is kept as far as there is memory for whole matrices, and read again where
 * there is not; a product sees no difference. The arena owns the memory; not thread-safe.
 */
final class WeightSlabs {
  /** Bytes that are taken for what is kept, also where there is nothing to keep. */
  static final long LEAST_ROOM = 64;

  private static final int SLAB = 1 << 20;
  private static final long ALIGNMENT = 64;

  /** Takes some rows of a matrix, borrowed until the call returns. */
  @FunctionalInterface
  interface Consumer {
    void slab(int firstRow, FloatMatrix rows);
  }

  private final ModelWeights weights;
  private final StopFlag stop;
  private final MemorySegment scratch;
  private final MemorySegment room;
  private final Map<String, FloatMatrix> kept = new HashMap<>();
  private long used;
  private String filling = "";
  private int filled;

  /**
   * @param widest columns of the widest matrix
   * @param room bytes for what is kept
   */
  WeightSlabs(ModelWeights weights, Arena arena, int widest, long room, StopFlag stop) {
    this.weights = weights;
    this.stop = stop;
    this.scratch = arena.allocate(scratchBytes(widest), ALIGNMENT);
    this.room = arena.allocate(room + LEAST_ROOM, ALIGNMENT).asSlice(0, room);
  }

  /** Bytes that are needed whatever is kept. */
  static long scratchBytes(int widest) {
    return (long) Math.max(SLAB, widest) * Float.BYTES;
  }

  /** Bytes that it takes to keep a matrix. */
  static long keptBytes(int rows, int columns) {
    return Math.ceilDiv((long) rows * columns * Float.BYTES, ALIGNMENT) * ALIGNMENT;
  }

  static int slabRows(int columns) {
    return Math.max(1, SLAB / columns);
  }

  /** What was kept makes room for other matrices. */
  void forget() {
    kept.clear();
    used = 0;
    filling = "";
  }

  void forEach(String tensor, Consumer consumer) {
    int rows = weights.rows(tensor);
    for (int first = 0; first < rows; first += slabRows(weights.columns(tensor))) {
      consumer.slab(first, slab(tensor, first));
    }
  }

  /**
   * The slab that begins at a row, borrowed until the next call. A matrix whose slabs are asked for
   * in order is kept.
   */
  FloatMatrix slab(String tensor, int firstRow) {
    stop.check();
    int rows = weights.rows(tensor);
    int columns = weights.columns(tensor);
    int count = Math.min(slabRows(columns), rows - firstRow);
    FloatMatrix whole = kept.get(tensor);
    if (whole != null) {
      return whole.slice(firstRow, count);
    }
    long bytes = keptBytes(rows, columns);
    if (firstRow == 0) {
      filling = tensor;
      filled = 0;
    }
    if (bytes > room.byteSize() - used || !tensor.equals(filling) || firstRow != filled) {
      FloatMatrix slab =
          new FloatMatrix(scratch.asSlice(0, (long) count * columns * Float.BYTES), count, columns);
      weights.read(tensor, firstRow, slab);
      return slab;
    }
    FloatMatrix matrix =
        new FloatMatrix(room.asSlice(used, (long) rows * columns * Float.BYTES), rows, columns);
    FloatMatrix slab = matrix.slice(firstRow, count);
    weights.read(tensor, firstRow, slab);
    filled += count;
    if (filled == rows) {
      kept.put(tensor, matrix);
      used += bytes;
    }
    return slab;
  }

  /** A row of a matrix, from memory where the matrix is kept. */
  void row(String tensor, int row, FloatMatrix to) {
    Optional<FloatMatrix> whole = Optional.ofNullable(kept.get(tensor));
    if (whole.isPresent()) {
      Rows.copy(whole.get(), row, to, 0);
    } else {
      weights.read(tensor, row, to);
    }
  }
}

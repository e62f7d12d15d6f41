package io.cafeq.engine.rounding;

import io.cafeq.config.Side;
import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.MemorySegment;

/**
 * One of two coupled matrices as it is stored, all its heads side by side, read slab by slab:
 * [heads * h, positions] with the channels on the OUTPUT side, [positions, heads * h] with the
 * channels on the INPUT side. Read several times over.
 */
public interface PairFactor {
  /** Where the channels of the heads are. */
  Side side();

  int rows();

  int columns();

  /** Rows of all slabs but the last; whole heads on the OUTPUT side. */
  int slabRows();

  /** Fills {@code slab} with the original rows from {@code firstRow} on. */
  void read(int firstRow, FloatMatrix slab);

  /** A factor in memory, which it borrows, in slabs of about a million weights. */
  static PairFactor of(FloatMatrix matrix, Side side, int headSize) {
    int fitting = SlabRows.of(matrix.columns());
    int rows = side == Side.OUTPUT ? Math.max(1, fitting / headSize) * headSize : fitting;
    return new InMemory(matrix, side, Math.min(matrix.rows(), rows));
  }

  /** What {@link #of} makes. */
  record InMemory(FloatMatrix matrix, Side side, int slabRows) implements PairFactor {
    @Override
    public int rows() {
      return matrix.rows();
    }

    @Override
    public int columns() {
      return matrix.columns();
    }

    @Override
    public void read(int firstRow, FloatMatrix slab) {
      MemorySegment.copy(
          matrix.segment(),
          (long) Float.BYTES * firstRow * matrix.columns(),
          slab.segment(),
          0,
          slab.elements() * Float.BYTES);
    }
  }
}

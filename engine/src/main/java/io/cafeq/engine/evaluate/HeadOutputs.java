package io.cafeq.engine.evaluate;

import io.cafeq.engine.family.Coupling;
import io.cafeq.engine.forward.ModelWeights;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.memory.MatrixProducts;
import io.cafeq.engine.memory.MatrixView;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * What an attention's output matrix would read where every token attended to itself alone: its own
 * values, V x + b.
 */
record HeadOutputs(Coupling coupling, MatrixProducts products) {
  private static final int SLAB = 1 << 19;

  /**
   * @param x [tokens, in] that V reads
   * @param arena owns what is returned: [tokens, columns of the output matrix]
   */
  FloatMatrix of(Arena arena, ModelWeights weights, FloatMatrix x) {
    int rows = weights.rows(coupling.left());
    FloatMatrix values = FloatMatrix.allocate(arena, x.rows(), rows);
    int together = Math.min(rows, Math.max(1, SLAB / x.columns()));
    try (Arena own = Arena.ofConfined()) {
      FloatMatrix room = FloatMatrix.allocate(own, together, x.columns());
      for (int first = 0; first < rows; first += together) {
        FloatMatrix slab = room.slice(0, Math.min(together, rows - first));
        weights.read(coupling.left(), first, slab);
        products.multiply(
            1,
            MatrixView.of(x),
            false,
            MatrixView.of(slab),
            true,
            0,
            MatrixView.columns(values, first, slab.rows()));
      }
    }
    float[] bias =
        coupling
            .leftBias()
            .map(name -> weights.vector(name, rows))
            .orElseGet(() -> new float[rows]);
    FloatMatrix placed = FloatMatrix.allocate(arena, x.rows(), weights.columns(coupling.right()));
    float[] row = new float[rows];
    for (int token = 0; token < x.rows(); token++) {
      MemorySegment.copy(
          values.segment(),
          ValueLayout.JAVA_FLOAT,
          (long) token * rows * Float.BYTES,
          row,
          0,
          rows);
      for (int i = 0; i < rows; i++) {
        row[i] += bias[i];
      }
      place(row, token, placed);
    }
    return placed;
  }

  private void place(float[] row, int token, FloatMatrix placed) {
    long start = (long) token * placed.columns();
    for (Coupling.Head head : coupling.heads()) {
      for (int column : head.right()) {
        MemorySegment.copy(
            row,
            head.left(),
            placed.segment(),
            ValueLayout.JAVA_FLOAT,
            (start + column) * Float.BYTES,
            head.size());
      }
    }
  }
}

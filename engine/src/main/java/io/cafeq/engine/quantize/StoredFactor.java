package io.cafeq.engine.quantize;

import io.cafeq.config.Side;
import io.cafeq.engine.checkpoint.TensorReader;
import io.cafeq.engine.checkpoint.WeightTensor;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.rounding.PairFactor;
import java.util.List;

/**
 * One factor of a pair, read from the checkpoint: the rows of its heads side by side, one head a slab, or all rows of the
 * tensor.
 *
 * @param heads first row of each head; empty where the channels lie on the input side
 */
record StoredFactor(TensorReader reader, WeightTensor weight, Side side, int headSize, List<Integer> heads)
    implements PairFactor {
  private static final int SLAB_WEIGHTS = 1 << 20;

  /** Heads on rows. */
  static StoredFactor rows(TensorReader reader, WeightTensor weight, int headSize, List<Integer> heads) {
    return new StoredFactor(reader, weight, Side.OUTPUT, headSize, List.copyOf(heads));
  }

  /** Heads on columns. */
  static StoredFactor columns(TensorReader reader, WeightTensor weight, int headSize) {
    return new StoredFactor(reader, weight, Side.INPUT, headSize, List.of());
  }

  @Override
  public int rows() {
    return side == Side.OUTPUT ? heads.size() * headSize : weight.allRows();
  }

  @Override
  public int columns() {
    return weight.columns();
  }

  @Override
  public int slabRows() {
    return side == Side.OUTPUT ? headSize : Math.clamp(SLAB_WEIGHTS / columns(), 1, rows());
  }

  @Override
  public void read(int firstRow, FloatMatrix slab) {
    switch (side) {
      case INPUT -> reader.readFloats(weight, firstRow, 0, slab);
      case OUTPUT -> {
        for (int done = 0; done < slab.rows(); done += headSize) {
          reader.readFloats(weight, heads.get((firstRow + done) / headSize), 0, slab.slice(done, headSize));
        }
      }
    }
  }

  /** The row of the tensor that a row of the factor is. */
  int tensorRow(int row) {
    return side == Side.OUTPUT ? heads.get(row / headSize) + row % headSize : row;
  }
}

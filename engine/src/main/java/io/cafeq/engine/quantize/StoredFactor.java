package io.cafeq.engine.quantize;

import io.cafeq.config.Side;
import io.cafeq.engine.checkpoint.TensorReader;
import io.cafeq.engine.checkpoint.WeightTensor;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.memory.Magnitudes;
import io.cafeq.engine.rounding.PairFactor;
import io.cafeq.engine.rounding.SlabRows;
import java.lang.foreign.Arena;
import java.util.List;

/**
 * One factor of a pair, read from the checkpoint: the rows of its heads side by side, one head a
 * slab, or all rows of the tensor.
 *
 * @param exponent of the power of two that the weights are divided by; 0 for ordinary ones
 * @param heads first row of each head; empty where the channels are on the input side
 */
record StoredFactor(
    TensorReader reader,
    WeightTensor weight,
    int exponent,
    Side side,
    int headSize,
    List<Integer> heads)
    implements PairFactor {
  /** Heads on rows. */
  static StoredFactor rows(
      TensorReader reader, WeightTensor weight, int exponent, int headSize, List<Integer> heads) {
    return new StoredFactor(reader, weight, exponent, Side.OUTPUT, headSize, List.copyOf(heads));
  }

  /** Heads on columns. */
  static StoredFactor columns(
      TensorReader reader, WeightTensor weight, int exponent, int headSize) {
    return new StoredFactor(reader, weight, exponent, Side.INPUT, headSize, List.of());
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
    return side == Side.OUTPUT ? headSize : Math.min(SlabRows.of(columns()), rows());
  }

  @Override
  public void read(int firstRow, FloatMatrix slab) {
    switch (side) {
      case INPUT -> reader.readFloats(weight, firstRow, 0, slab);
      case OUTPUT -> {
        for (int done = 0; done < slab.rows(); done += headSize) {
          reader.readFloats(
              weight, heads.get((firstRow + done) / headSize), 0, slab.slice(done, headSize));
        }
      }
    }
    Magnitudes.multiply(slab, -exponent);
  }

  /** The largest magnitude of all weights; reads them once, in slabs. */
  float largest(StopFlag stop) {
    float largest = 0;
    try (Arena arena = Arena.ofConfined()) {
      FloatMatrix room = FloatMatrix.allocate(arena, slabRows(), columns());
      for (int first = 0; first < rows(); first += slabRows()) {
        stop.check();
        FloatMatrix slab = room.slice(0, Math.min(slabRows(), rows() - first));
        read(first, slab);
        largest = Math.max(largest, Magnitudes.largest(slab));
      }
    }
    return largest;
  }

  /** The row of the tensor that a row of the factor is. */
  int tensorRow(int row) {
    return side == Side.OUTPUT ? heads.get(row / headSize) + row % headSize : row;
  }
}

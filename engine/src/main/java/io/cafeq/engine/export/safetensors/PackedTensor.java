package io.cafeq.engine.export.safetensors;

import io.cafeq.engine.block.RawTensors;
import io.cafeq.engine.block.ResultReader;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.checkpoint.TensorReader;
import io.cafeq.engine.checkpoint.TensorSource;
import io.cafeq.engine.checkpoint.WeightTensor;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;

/**
 * Unpacks weights that keep their bytes in a result, in 4 MiB of floats. A result has one unit open
 * at a time and scales can be in another unit than their codes, so scales and zero points of usual
 * size are read once and held outside the heap.
 */
final class PackedTensor {
  private static final int WEIGHTS = 1 << 20;

  /** Larger companions, which only stacks of experts have, are read from the result each time. */
  private static final long LARGEST_HELD = 32L << 20;

  private PackedTensor() {}

  /** Gives all rows in order, counted through all experts. */
  static void forEachSlab(
      ResultReader result,
      WeightTensor packed,
      StopFlag stop,
      ResultReader.WeightConsumer consumer) {
    try (Arena arena = Arena.ofConfined();
        TensorReader reader = new TensorReader(source(result, packed, arena))) {
      int rows = packed.allRows();
      int together = Math.clamp(WEIGHTS / packed.columns(), 1, rows);
      FloatMatrix slab = FloatMatrix.allocate(arena, together, packed.columns());
      for (int row = 0; row < rows; row += together) {
        stop.check();
        FloatMatrix weights = slab.slice(0, Math.min(together, rows - row));
        reader.readFloats(packed, row, 0, weights);
        consumer.accept(row, weights);
      }
    }
  }

  private static TensorSource source(ResultReader result, WeightTensor packed, Arena arena) {
    TensorSource stored = new RawTensors(result);
    Map<String, MemorySegment> held = new HashMap<>();
    for (TensorInfo tensor : packed.sources()) {
      if (!tensor.equals(packed.info()) && tensor.bytes() <= LARGEST_HELD) {
        MemorySegment bytes = arena.allocate(Math.max(1, tensor.bytes()), 64);
        stored.read(tensor, 0, bytes.asSlice(0, tensor.bytes()));
        held.put(tensor.name(), bytes);
      }
    }
    return new WithCompanions(stored, held);
  }

  private record WithCompanions(TensorSource stored, Map<String, MemorySegment> held)
      implements TensorSource {
    @Override
    public void read(TensorInfo tensor, long offset, MemorySegment target) {
      MemorySegment bytes = held.get(tensor.name());
      if (bytes == null) {
        stored.read(tensor, offset, target);
      } else {
        target.copyFrom(bytes.asSlice(offset, target.byteSize()));
      }
    }

    @Override
    public String place(TensorInfo tensor) {
      return stored.place(tensor);
    }
  }
}

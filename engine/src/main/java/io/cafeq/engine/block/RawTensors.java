package io.cafeq.engine.block;

import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.checkpoint.TensorSource;
import java.lang.foreign.MemorySegment;

/** The tensors of a result that keep their bytes, as a source of tensors. Borrows the result. */
public record RawTensors(ResultReader result) implements TensorSource {
  @Override
  public void read(TensorInfo tensor, long offset, MemorySegment target) {
    result.readRaw(tensor.name(), offset, target);
  }

  @Override
  public String place(TensorInfo tensor) {
    return result.folder() + ": tensor \"" + tensor.name() + "\"";
  }
}

package io.cafeq.engine.checkpoint;

import java.lang.foreign.MemorySegment;

/** Something that holds the bytes of tensors as checkpoints store them. */
public interface TensorSource {
  /**
   * Fills {@code target}, which is outside the heap, with the tensor's bytes from {@code offset} of
   * the tensor on.
   */
  void read(TensorInfo tensor, long offset, MemorySegment target);

  /** File and tensor, for messages. */
  String place(TensorInfo tensor);
}

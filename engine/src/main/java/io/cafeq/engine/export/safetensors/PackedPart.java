package io.cafeq.engine.export.safetensors;

import io.cafeq.engine.block.ResultReader;
import io.cafeq.engine.checkpoint.SafetensorsWriter.Entry;
import io.cafeq.engine.failure.StopFlag;
import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;

/** One of the tensors that a quantized matrix becomes. */
record PackedPart(Entry entry, Content content) {
  /** Where its bytes come from. */
  @FunctionalInterface
  interface Content {
    /** Gives all bytes in order; pieces are native and borrowed during the call. */
    void give(ResultReader result, String source, StopFlag stop, Consumer<MemorySegment> bytes);
  }
}

package io.cafeq.engine.export.safetensors;

import io.cafeq.engine.block.ResultReader;
import io.cafeq.engine.failure.StopFlag;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.function.Consumer;

/**
 * The bytes of tensors as the export has them.
 *
 * @param folder for temporary files
 */
record DenseWeights(ResultReader result, WeightEncoder encoder, Path folder, StopFlag stop) {
  /** Gives all bytes of the tensor in order; pieces are borrowed during the call. */
  void give(DenseTensors.Outgoing tensor, Consumer<MemorySegment> bytes) {
    if (tensor.part() != null) {
      tensor.part().content().give(result, tensor.source(), stop, bytes);
    } else if (tensor.isRaw()) {
      result.forEachRaw(
          tensor.source(),
          (offset, piece) -> {
            stop.check();
            bytes.accept(piece);
          });
    } else if (DenseForm.isTurned(tensor.layout())) {
      try (TurnedTensor turned = new TurnedTensor(folder, tensor.entry(), encoder, bytes)) {
        weights(tensor, turned::put);
      }
    } else {
      weights(
          tensor, (firstRow, weights) -> encoder.encode(tensor.entry(), firstRow, weights, bytes));
    }
  }

  private void weights(DenseTensors.Outgoing tensor, ResultReader.WeightConsumer consumer) {
    if (tensor.packed() != null) {
      PackedTensor.forEachSlab(result, tensor.packed(), stop, consumer);
    } else {
      result.forEachSlab(
          tensor.source(),
          (firstRow, weights) -> {
            stop.check();
            consumer.accept(firstRow, weights);
          });
    }
  }
}

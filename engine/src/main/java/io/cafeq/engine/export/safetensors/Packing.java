package io.cafeq.engine.export.safetensors;

import io.cafeq.engine.block.TensorHeader;
import java.util.List;

/** How a format stores quantized matrices in a safetensors checkpoint. */
@FunctionalInterface
interface Packing {
  /** Nothing is packed: effective weights are written. */
  Packing DENSE = header -> List.of();

  /** The tensors that stand for a quantized one; empty where its effective weights do. */
  List<PackedPart> parts(TensorHeader header);
}

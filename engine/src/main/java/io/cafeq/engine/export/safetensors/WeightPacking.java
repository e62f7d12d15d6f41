package io.cafeq.engine.export.safetensors;

import io.cafeq.engine.block.TensorHeader;
import java.util.List;
import java.util.function.UnaryOperator;

/** How a format stores quantized matrices in a safetensors checkpoint. */
@FunctionalInterface
interface WeightPacking {
  /** Nothing is packed: effective weights are written. */
  WeightPacking DENSE = header -> List.of();

  /** The tensors that stand for a quantized one; empty where its effective weights do. */
  List<PackedPart> parts(TensorHeader header);

  /**
   * What a tensor that is not packed is called; one that is tied may be stored under either name.
   */
  default String name(String source) {
    return source;
  }

  /** The same with other names. */
  default WeightPacking named(UnaryOperator<String> names) {
    WeightPacking same = this;
    return new WeightPacking() {
      @Override
      public List<PackedPart> parts(TensorHeader header) {
        return same.parts(header);
      }

      @Override
      public String name(String source) {
        return names.apply(source);
      }
    };
  }
}

package io.cafeq.engine.export.safetensors;

import io.cafeq.engine.block.TensorHeader;
import java.util.List;
import java.util.Optional;

/** How a format stores quantized matrices in a safetensors checkpoint. */
@FunctionalInterface
interface WeightPacking {
  /** Nothing is packed: effective weights are written. */
  WeightPacking DENSE = header -> List.of();

  /** The tensors that stand for a quantized one; empty where its effective weights do. */
  List<PackedPart> parts(TensorHeader header);

  /** What is written in place of a tensor that keeps its bytes in the result; empty for most. */
  default Optional<PackedPart> folded(TensorHeader header) {
    return Optional.empty();
  }

  /** What a tensor that is not packed is called; a tied one may be stored under either name. */
  default String name(String source) {
    return source;
  }

  /** The same with the names of some modules, and with what their norms take over. */
  default WeightPacking of(PackedModules modules) {
    WeightPacking same = this;
    return new WeightPacking() {
      @Override
      public List<PackedPart> parts(TensorHeader header) {
        return same.parts(header);
      }

      @Override
      public Optional<PackedPart> folded(TensorHeader header) {
        return modules.scales().of(header.name()).map(fold -> FoldedNorm.of(header, fold));
      }

      @Override
      public String name(String source) {
        return modules.name(source);
      }
    };
  }
}

package io.cafeq.engine.plan;

import java.util.List;

/**
 * The atom of work, failure, resume and output: one unit becomes one file {@code units/ID.arrow}.
 * Other tools call it a layer or a shard; a unit is smaller, so that a resume loses little.
 */
public sealed interface Unit {
  /** File-safe, unique in the plan, and the same for the same checkpoint and recipe. */
  String id();

  /** Whose rows the file holds, with biases and scales that went into them. */
  List<PlannedTensor> tensors();

  /** Weights of all tensors. */
  long weights();

  /**
   * Quantized tensors.
   *
   * @param parts whose rows are all rows of all weight tensors, each once
   */
  record Quantized(String id, List<PlannedTensor> tensors, List<Part> parts) implements Unit {
    public Quantized {
      tensors = List.copyOf(tensors);
      parts = List.copyOf(parts);
    }

    @Override
    public long weights() {
      return parts.stream().mapToLong(Part::weights).sum();
    }
  }

  /** Tensors that keep their bytes. */
  record Copied(String id, List<PlannedTensor> tensors) implements Unit {
    public Copied {
      tensors = List.copyOf(tensors);
    }

    @Override
    public long weights() {
      return tensors.stream().mapToLong(tensor -> tensor.info().elements()).sum();
    }
  }
}

package io.cafeq.engine.plan;

import java.util.List;

/**
 * The atom of work, of failure, of resume and of output: one unit becomes one file {@code units/ID.arrow}.
 *
 * <p>A pair of coupled matrices (V and O) will be a further case.
 */
public sealed interface Unit {
  /** File-safe, unique in the plan, and the same for the same checkpoint and recipe. */
  String id();

  List<PlannedTensor> tensors();

  /** Weights of all tensors. */
  default long weights() {
    return tensors().stream().mapToLong(t -> t.info().elements()).sum();
  }

  /** A unit whose tensors, all matrices with the same number of columns, are rounded. */
  sealed interface Quantized extends Unit {
    Treatment treatment();

    /** Input channels, the same for all tensors. */
    default int columns() {
      return tensors().getFirst().info().columns();
    }

    /** Output channels of all tensors together. */
    default long rows() {
      return tensors().stream().mapToLong(t -> t.info().rows()).sum();
    }
  }

  /** One matrix by itself. */
  record Single(String id, PlannedTensor tensor, Treatment treatment) implements Quantized {
    @Override
    public List<PlannedTensor> tensors() {
      return List.of(tensor);
    }
  }

  /** Matrices that read the same input and so share one input-side transform: q, k and v; gate and up. */
  record SharedInput(String id, List<PlannedTensor> tensors, Treatment treatment) implements Quantized {
    public SharedInput {
      tensors = List.copyOf(tensors);
    }
  }

  /** Tensors that keep their bytes. */
  record Copied(String id, List<PlannedTensor> tensors) implements Unit {
    public Copied {
      tensors = List.copyOf(tensors);
    }
  }
}

package io.cafeq.engine.quantize;

import io.cafeq.engine.family.MatrixInputs;
import io.cafeq.engine.plan.Part;
import io.cafeq.engine.statistics.MatrixInput;
import java.util.List;
import java.util.Optional;

/** What the matrices of a stack read. */
public final class StackInput {
  private StackInput() {}

  /** What one range reads; empty where the family does not know it. */
  public static Optional<MatrixInput> of(Part.RowRange range, MatrixInputs inputs) {
    return inputs.of(range.tensor().weight(), range.expert());
  }

  /**
   * What all ranges read that share one transform: their common input, or for experts with inputs
   * of their own that of all experts of the layer together; empty where there is neither.
   */
  public static Optional<MatrixInput> shared(
      List<Part.RowRange> rows, int columns, MatrixInputs inputs) {
    List<Optional<MatrixInput>> all =
        rows.stream().map(range -> of(range, inputs)).distinct().toList();
    if (all.size() == 1) {
      return all.getFirst();
    }
    List<Optional<String>> fallBacks =
        all.stream().map(input -> input.flatMap(MatrixInput::fallBack)).distinct().toList();
    return fallBacks.size() == 1
        ? fallBacks.getFirst().map(name -> new MatrixInput(name, columns, Optional.empty()))
        : Optional.empty();
  }
}

package io.cafeq.engine.forward;

import io.cafeq.engine.family.MatrixInputs;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.statistics.MatrixInput;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Tells an observer what matrices read, by the names that the family gives to inputs. */
record ObservedInputs(MatrixInputs inputs, InputObserver observer) {
  /**
   * @param x [tokens, in] what all of these matrices read
   */
  void observe(List<String> matrices, FloatMatrix x) {
    Map<MatrixInput, List<String>> readers = new LinkedHashMap<>();
    for (String matrix : matrices) {
      inputs
          .of(matrix, x.columns())
          .ifPresent(input -> readers.computeIfAbsent(input, key -> new ArrayList<>()).add(matrix));
    }
    readers.forEach((input, names) -> observer.observe(input, List.copyOf(names), x));
  }

  /** What an expert's matrix falls back on. */
  void observeFallBack(String matrix, FloatMatrix x) {
    inputs
        .of(matrix, x.columns())
        .flatMap(MatrixInput::fallBack)
        .ifPresent(
            name ->
                observer.observe(
                    new MatrixInput(name, x.columns(), Optional.empty()), List.of(), x));
  }
}

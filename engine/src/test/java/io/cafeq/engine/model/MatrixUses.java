package io.cafeq.engine.model;

import java.util.Collections;
import java.util.Comparator;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * The matrices that a forward pass multiplies by: those that may be quantized. Routers and
 * embeddings are not among them.
 */
public final class MatrixUses {
  private final SortedSet<MatrixUse> uses =
      new TreeSet<>(Comparator.comparing(MatrixUse::tensor).thenComparing(MatrixUse::expert));

  private MatrixUses() {}

  /** Those that the model uses for the tokens; experts that no token chose are missing. */
  public static MatrixUses of(Model model, int... tokens) {
    MatrixUses uses = new MatrixUses();
    Products recorded =
        (matrix, x) -> {
          uses.uses.add(matrix);
          return model.products().apply(matrix, x);
        };
    ForwardPass.of(new Model(model.settings(), model.type(), model.weights(), recorded))
        .run(tokens);
    return uses;
  }

  public SortedSet<MatrixUse> all() {
    return Collections.unmodifiableSortedSet(uses);
  }

  /** One for each tensor. */
  public SortedMap<String, MatrixUse> byTensor() {
    SortedMap<String, MatrixUse> byTensor = new TreeMap<>();
    uses.forEach(use -> byTensor.putIfAbsent(use.tensor(), use));
    return byTensor;
  }
}

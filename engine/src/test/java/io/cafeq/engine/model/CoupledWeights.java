package io.cafeq.engine.model;

import io.cafeq.engine.family.Coupling;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/** A model's weights after a random map for each head was moved across its couplings, in double. */
final class CoupledWeights {
  /** Which biases follow their matrix. A mistake that must be seen is to leave one behind. */
  enum Biases {
    FOLLOW,
    STAY
  }

  private final Weights source;
  private final Map<String, MatrixUse> uses;
  private final Biases biases;
  private final SortedMap<String, DoubleTensor> changed = new TreeMap<>();

  private CoupledWeights(Weights source, Map<String, MatrixUse> uses, Biases biases) {
    this.source = source;
    this.uses = uses;
    this.biases = biases;
  }

  /**
   * @param uses how the model reads its matrices, by tensor name
   */
  static Weights of(
      Weights source,
      Map<String, MatrixUse> uses,
      List<Coupling> couplings,
      Biases biases,
      long seed) {
    CoupledWeights weights = new CoupledWeights(source, uses, biases);
    long next = seed;
    for (Coupling coupling : couplings) {
      for (Coupling.Head head : coupling.heads()) {
        weights.move(coupling, head, RandomMap.of(head.size(), next++));
      }
    }
    return source.with(weights.changed);
  }

  private void move(Coupling coupling, Coupling.Head head, RandomMap map) {
    rows(coupling.left(), coupling.leftBias(), head.left(), map.forward());
    double[][] inverseTransposed = RandomMap.transposed(map.inverse());
    for (int right : head.right()) {
      switch (coupling.kind()) {
        case VALUE_OUTPUT -> columns(coupling.right(), right, map.inverse());
        case QUERY_KEY -> rows(coupling.right(), coupling.rightBias(), right, inverseTransposed);
      }
    }
  }

  /** rows' = map rows, bias' = map bias */
  private void rows(String tensor, Optional<String> bias, int first, double[][] map) {
    MatrixUse use = use(tensor);
    DoubleTensor matrix = change(tensor);
    for (int column = 0; column < use.columns(matrix); column++) {
      double[] values = new double[map.length];
      for (int i = 0; i < map.length; i++) {
        values[i] = use.get(matrix, first + i, column);
      }
      double[] moved = RandomMap.product(map, values);
      for (int i = 0; i < map.length; i++) {
        use.set(matrix, first + i, column, moved[i]);
      }
    }
    if (biases == Biases.FOLLOW && bias.isPresent()) {
      double[] vector = change(bias.get()).values();
      double[] values = new double[map.length];
      System.arraycopy(vector, first, values, 0, map.length);
      System.arraycopy(RandomMap.product(map, values), 0, vector, first, map.length);
    }
  }

  /** columns' = columns map */
  private void columns(String tensor, int first, double[][] map) {
    MatrixUse use = use(tensor);
    DoubleTensor matrix = change(tensor);
    double[][] transposed = RandomMap.transposed(map);
    for (int row = 0; row < use.rows(matrix); row++) {
      double[] values = new double[map.length];
      for (int i = 0; i < map.length; i++) {
        values[i] = use.get(matrix, row, first + i);
      }
      double[] moved = RandomMap.product(transposed, values);
      for (int i = 0; i < map.length; i++) {
        use.set(matrix, row, first + i, moved[i]);
      }
    }
  }

  private MatrixUse use(String tensor) {
    return Objects.requireNonNull(uses.get(tensor), () -> "the model multiplies by no " + tensor);
  }

  private DoubleTensor change(String tensor) {
    return changed.computeIfAbsent(tensor, name -> source.get(name).copy());
  }
}

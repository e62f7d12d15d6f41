package io.cafeq.engine.evaluate;

import io.cafeq.engine.family.Coupling;
import io.cafeq.engine.forward.InputObserver;
import io.cafeq.engine.forward.ModelWeights;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.memory.MatrixProducts;
import io.cafeq.engine.statistics.MatrixInput;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.regex.Pattern;

/**
 * Compares two models matrix by matrix while the forward pass of the reference goes through a
 * layer. Sums squares in double, in the order of the tokens and rows.
 *
 * <p>Of values V and the attention's output matrix O only the product counts: the same model can
 * hold M V and O M^-1, head by head, as results with pairs do. So the product is always compared,
 * on the input x of V as if every token attended to itself alone: O (V x + b) beside O' (V' x +
 * b'). V and O by themselves are compared too, but not where either model is a result that says
 * that they are a pair; of a checkpoint into which pairs were folded, which nothing tells, their
 * own errors mean nothing.
 *
 * <p>Borrows everything; takes memory for slabs of weights and their outputs during a call. Not
 * thread-safe.
 */
final class OutputErrors implements InputObserver {
  private static final Pattern BEFORE = Pattern.compile("^.*?layers\\.\\d+\\.");
  private static final Pattern EXPERT = Pattern.compile("experts\\.\\d+\\.");
  private static final String WEIGHT = ".weight";

  private record Key(int layer, String matrix) {}

  /** Squares of the reference's outputs, and of the differences. */
  private static final class Sums {
    private double outputs;
    private double differences;
  }

  private final ModelWeights reference;
  private final ModelWeights model;
  private final Predicate<String> isFactor;
  private final Map<String, Coupling> byValues;
  private final OutputSquares squares;
  private final MatrixProducts products;
  private final Map<Key, Sums> sums = new LinkedHashMap<>();
  private int layer;

  /**
   * @param isFactor whether a matrix is a factor of a pair in the model or in the reference
   * @param byValues what may be a pair, by the name of V
   */
  OutputErrors(
      ModelWeights reference,
      ModelWeights model,
      Predicate<String> isFactor,
      Map<String, Coupling> byValues,
      MatrixProducts products) {
    this.reference = reference;
    this.model = model;
    this.isFactor = isFactor;
    this.byValues = Map.copyOf(byValues);
    this.products = products;
    this.squares = new OutputSquares(products);
  }

  /** About the native bytes that it takes at most, for inputs of so many tokens. */
  static long bytes(int tokens, int hidden) {
    long outputs = (long) tokens * OutputSquares.rowsTogether(hidden) * Float.BYTES;
    long heads = 2L * tokens * hidden * Float.BYTES;
    return 2 * OutputSquares.SLAB_BYTES + 2 * outputs + 4 * heads;
  }

  /** What is observed from now on is of that layer. */
  void enter(int number) {
    layer = number;
  }

  @Override
  public void observe(MatrixInput input, List<String> matrices, FloatMatrix x) {
    for (String matrix : matrices) {
      if (!isFactor.test(matrix)) {
        single(matrix, x);
      }
      Coupling coupling = byValues.get(matrix);
      if (coupling != null) {
        product(coupling, x);
      }
    }
  }

  /** In the order in which matrices are used; none of a matrix whose outputs are all 0. */
  List<OutputError> errors() {
    List<OutputError> errors = new ArrayList<>();
    sums.forEach(
        (key, sum) -> {
          if (sum.outputs > 0) {
            errors.add(
                new OutputError(
                    key.layer(), key.matrix(), Math.sqrt(sum.differences / sum.outputs)));
          }
        });
    return errors;
  }

  private void single(String matrix, FloatMatrix x) {
    Sums into = sums(shortName(matrix));
    try (Arena arena = Arena.ofConfined()) {
      squares.ofDifference(
          arena,
          reference,
          model,
          matrix,
          x,
          (outputs, differences) -> {
            into.outputs += outputs;
            into.differences += differences;
          });
    }
  }

  private void product(Coupling coupling, FloatMatrix x) {
    Sums into = sums(shortName(coupling.left()) + "+" + lastName(coupling.right()));
    try (Arena arena = Arena.ofConfined()) {
      HeadOutputs outputs = new HeadOutputs(coupling, products);
      FloatMatrix expected = outputs.of(arena, reference, x);
      FloatMatrix found = outputs.of(arena, model, x);
      squares.ofOutputs(
          arena,
          reference,
          expected,
          model,
          found,
          coupling.right(),
          (square, difference) -> {
            into.outputs += square;
            into.differences += difference;
          });
    }
  }

  private Sums sums(String name) {
    return sums.computeIfAbsent(new Key(layer, name), key -> new Sums());
  }

  private static String shortName(String tensor) {
    String name = BEFORE.matcher(tensor).replaceFirst("");
    name = EXPERT.matcher(name).replaceAll("experts.*.");
    return name.endsWith(WEIGHT) ? name.substring(0, name.length() - WEIGHT.length()) : name;
  }

  private static String lastName(String tensor) {
    String name = shortName(tensor);
    return name.substring(name.lastIndexOf('.') + 1);
  }
}

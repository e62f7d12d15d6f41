package io.cafeq.engine.forward;

import io.cafeq.engine.family.ModelDescription;
import io.cafeq.engine.memory.FloatMatrix;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Gives each expert's matrices by the names that they have one by one where a file holds all
 * experts of a layer as one stack, with gate and up in one matrix, gate first, or apart. Everything
 * else is the wrapped weights'; closing closes them.
 */
public final class StackedExperts implements ModelWeights {
  private static final Pattern EXPERT =
      Pattern.compile("(?<module>.*\\.experts)\\.(?<number>\\d{1,6})\\.(?<matrix>\\w+)\\.weight");
  private static final String FUSED = "gate_up_proj";

  private final ModelWeights weights;
  private final Map<String, List<Long>> shapes;
  private final Map<String, Optional<Slice>> slices = new HashMap<>();

  private StackedExperts(ModelWeights weights, Map<String, List<Long>> shapes) {
    this.weights = weights;
    this.shapes = shapes;
  }

  /** Some rows of a stack, counted through all of its experts. */
  private record Slice(String stack, int first, int rows) {}

  /** The weights themselves where they have no stack. */
  public static ModelWeights over(ModelWeights weights) {
    if (weights instanceof StackedExperts) {
      return weights;
    }
    Map<String, List<Long>> shapes = weights.model().shapes();
    return shapes.values().stream().anyMatch(shape -> shape.size() == 3)
        ? new StackedExperts(weights, shapes)
        : weights;
  }

  private Optional<Slice> slice(String tensor) {
    return slices.computeIfAbsent(tensor, this::find);
  }

  private Optional<Slice> find(String tensor) {
    Matcher name = EXPERT.matcher(tensor);
    if (!name.matches() || weights.has(tensor)) {
      return Optional.empty();
    }
    int expert = Integer.parseInt(name.group("number"));
    String module = name.group("module") + ".";
    String matrix = name.group("matrix");
    return switch (matrix) {
      case "gate_proj" ->
          slice(module + matrix, expert, 0, 1).or(() -> slice(module + FUSED, expert, 0, 2));
      case "up_proj" ->
          slice(module + matrix, expert, 0, 1).or(() -> slice(module + FUSED, expert, 1, 2));
      default -> slice(module + matrix, expert, 0, 1);
    };
  }

  /** One of the equal parts of an expert's rows. */
  private Optional<Slice> slice(String module, int expert, int part, int parts) {
    return List.of(module, module + ".weight").stream()
        .filter(stack -> shapes.getOrDefault(stack, List.of()).size() == 3 && weights.has(stack))
        .findFirst()
        .flatMap(
            stack -> {
              int experts = Math.toIntExact(shapes.getOrDefault(stack, List.of()).getFirst());
              int rows = weights.rows(stack) / experts;
              return expert < experts && rows % parts == 0
                  ? Optional.of(
                      new Slice(stack, expert * rows + part * (rows / parts), rows / parts))
                  : Optional.empty();
            });
  }

  @Override
  public ModelDescription model() {
    return weights.model();
  }

  @Override
  public boolean has(String tensor) {
    return weights.has(tensor) || slice(tensor).isPresent();
  }

  @Override
  public String stored(String tensor) {
    return slice(tensor).map(Slice::stack).orElseGet(() -> weights.stored(tensor));
  }

  @Override
  public int rows(String tensor) {
    return slice(tensor).map(Slice::rows).orElseGet(() -> weights.rows(tensor));
  }

  @Override
  public int columns(String tensor) {
    return weights.columns(slice(tensor).map(Slice::stack).orElse(tensor));
  }

  @Override
  public void read(String tensor, int firstRow, FloatMatrix to) {
    Optional<Slice> slice = slice(tensor);
    weights.read(
        slice.map(Slice::stack).orElse(tensor), slice.map(Slice::first).orElse(0) + firstRow, to);
  }

  @Override
  public float[] vector(String tensor, int length) {
    return weights.vector(tensor, length);
  }

  @Override
  public void close() {
    weights.close();
  }
}

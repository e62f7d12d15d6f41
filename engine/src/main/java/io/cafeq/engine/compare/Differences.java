package io.cafeq.engine.compare;

import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeSet;

/**
 * How far the tensors of one set are from those of another.
 *
 * @param tensors in both sets, with the same shape, by name
 * @param otherShapes names of those in both sets with unlike shapes
 * @param onlyFirst names that the second set does not have
 * @param onlySecond names that the first set does not have
 */
public record Differences(
    List<Difference> tensors,
    List<String> otherShapes,
    List<String> onlyFirst,
    List<String> onlySecond) {
  private static final int WEIGHTS = 1 << 20;

  public Differences {
    tensors = List.copyOf(tensors);
    otherShapes = List.copyOf(otherShapes);
    onlyFirst = List.copyOf(onlyFirst);
    onlySecond = List.copyOf(onlySecond);
  }

  /**
   * Of one tensor.
   *
   * @param squaredError sum of (second - first)^2
   * @param squaredNorm sum of first^2
   * @param largest largest magnitude of second - first
   */
  public record Difference(
      String name, List<Long> shape, double squaredError, double squaredNorm, double largest) {
    public Difference {
      shape = List.copyOf(shape);
    }

    /** Square root of error / norm; that of the error where the norm is 0. */
    public double relativeError() {
      return Math.sqrt(squaredNorm > 0 ? squaredError / squaredNorm : squaredError);
    }
  }

  /** Relative error of all common tensors together. */
  public double relativeError() {
    double error = 0;
    double norm = 0;
    for (Difference tensor : tensors) {
      error += tensor.squaredError();
      norm += tensor.squaredNorm();
    }
    return Math.sqrt(norm > 0 ? error / norm : error);
  }

  /** Whether both sets have the same names, shapes and values. */
  public boolean isNone() {
    return otherShapes.isEmpty()
        && onlyFirst.isEmpty()
        && onlySecond.isEmpty()
        && tensors.stream().allMatch(tensor -> tensor.squaredError() == 0);
  }

  /** Reads both sets once; memory: a few rows of each at a time. */
  public static Differences of(TensorSet first, TensorSet second, StopFlag stop) {
    SortedMap<String, List<Long>> one = first.shapes();
    SortedMap<String, List<Long>> other = second.shapes();
    SortedSet<String> common = new TreeSet<>(one.keySet());
    common.retainAll(other.keySet());
    List<Difference> tensors = new ArrayList<>();
    List<String> unlike = new ArrayList<>();
    for (String name : common) {
      stop.check();
      List<Long> shape = one.getOrDefault(name, List.of());
      if (shape.equals(other.get(name))) {
        tensors.add(difference(name, shape, first, second, stop));
      } else {
        unlike.add(name);
      }
    }
    return new Differences(
        tensors, unlike, without(one.keySet(), common), without(other.keySet(), common));
  }

  private static List<String> without(Iterable<String> names, SortedSet<String> common) {
    List<String> left = new ArrayList<>();
    names.forEach(
        name -> {
          if (!common.contains(name)) {
            left.add(name);
          }
        });
    return left;
  }

  private static Difference difference(
      String name, List<Long> shape, TensorSet first, TensorSet second, StopFlag stop) {
    int columns = Math.toIntExact(shape.isEmpty() ? 1 : shape.getLast());
    int rows =
        Math.toIntExact(shape.stream().reduce(1L, Math::multiplyExact) / Math.max(1, columns));
    int most = Math.max(1, WEIGHTS / Math.max(1, columns));
    double error = 0;
    double norm = 0;
    double largest = 0;
    try (Arena arena = Arena.ofConfined()) {
      FloatMatrix one = FloatMatrix.allocate(arena, Math.min(most, rows), columns);
      FloatMatrix two = FloatMatrix.allocate(arena, Math.min(most, rows), columns);
      for (int from = 0; from < rows; from += most) {
        stop.check();
        int count = Math.min(most, rows - from);
        first.read(name, from, one.slice(0, count));
        second.read(name, from, two.slice(0, count));
        for (int i = 0; i < count; i++) {
          for (int j = 0; j < columns; j++) {
            double value = one.get(i, j);
            double difference = two.get(i, j) - value;
            error += difference * difference;
            norm += value * value;
            largest = Math.max(largest, Math.abs(difference));
          }
        }
      }
    }
    return new Difference(name, shape, error, norm, largest);
  }
}

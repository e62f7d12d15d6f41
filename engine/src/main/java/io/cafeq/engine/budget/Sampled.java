package io.cafeq.engine.budget;

import io.cafeq.engine.checkpoint.TensorReader;
import io.cafeq.engine.compute.ComputeLane;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.function.ToLongFunction;

/**
 * Things of several kinds, of which the first two, the middle one and the last of each kind are measured, and those between get
 * what lies between.
 *
 * @param things in the order of the layers
 */
record Sampled<T>(List<T> things, Function<T, ?> kind) {
  /** Measures one thing. */
  interface Probe<T> {
    Gains measure(T thing, ComputeLane lane, TensorReader reader);
  }

  /** @param memory native bytes that measuring a thing takes at most */
  Map<T, Gains> measure(Measurements measurements, ToLongFunction<T> memory, Probe<T> probe) {
    Map<Object, List<T>> kinds = new LinkedHashMap<>();
    things.forEach(thing -> kinds.computeIfAbsent(kind.apply(thing), key -> new ArrayList<>()).add(thing));
    List<T> wanted = new ArrayList<>();
    kinds.values().forEach(alike -> positions(alike.size()).forEach(position -> wanted.add(alike.get(position))));
    List<Gains> gains = measurements.all(wanted.stream()
        .map(thing -> new Measurements.Task<>(
            memory.applyAsLong(thing), (lane, reader) -> probe.measure(thing, lane, reader)))
        .toList());
    Map<T, Gains> measured = new HashMap<>();
    for (int i = 0; i < gains.size(); i++) {
      measured.put(wanted.get(i), gains.get(i));
    }
    Map<T, Gains> all = new LinkedHashMap<>();
    kinds.values().forEach(alike -> interpolate(alike, measured, all));
    return all;
  }

  /** Ascending. The first layer is unlike all others, so what it gains must not spread to them. */
  private static List<Integer> positions(int count) {
    return List.copyOf(new TreeSet<>(Arrays.asList(0, Math.min(1, count - 1), count / 2, count - 1)));
  }

  private void interpolate(List<T> alike, Map<T, Gains> measured, Map<T, Gains> all) {
    List<Integer> positions = positions(alike.size());
    int next = 0;
    for (int i = 0; i < alike.size(); i++) {
      if (positions.get(next) < i) {
        next++;
      }
      int above = positions.get(next);
      Gains end = Objects.requireNonNull(measured.get(alike.get(above)));
      if (above == i) {
        all.put(alike.get(i), end);
      } else {
        int below = positions.get(next - 1);
        Gains start = Objects.requireNonNull(measured.get(alike.get(below)));
        all.put(alike.get(i), start.towards(end, (double) (i - below) / (above - below)));
      }
    }
  }
}

package io.cafeq.engine.budget;

import io.cafeq.engine.checkpoint.TensorReader;
import io.cafeq.engine.compute.ComputeLane;
import io.cafeq.engine.compute.Learner;
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
 * Gains of things of several kinds, of which the first two, the middle one and the last of each
 * kind were measured; those between have what is between.
 */
final class SampledGains<T> {
  private final Map<T, Gains> measured = new HashMap<>();
  private final Map<T, Place> places = new HashMap<>();

  private SampledGains() {}

  /**
   * Between which measured things one is: {@code share} of the way from the first to the second.
   */
  private record Place(Object below, Object above, double share) {}

  /** Measures one thing. */
  interface Probe<T> {
    Gains measure(T thing, Learner learner, ComputeLane lane, TensorReader reader);
  }

  /**
   * @param things in the order of the layers
   * @param memory native bytes that measuring a thing takes at most
   */
  static <T> SampledGains<T> measure(
      List<T> things,
      Function<T, ?> kind,
      PieceMeasurer measurements,
      ToLongFunction<T> memory,
      Probe<T> probe) {
    Map<Object, List<T>> kinds = new LinkedHashMap<>();
    things.forEach(
        thing -> kinds.computeIfAbsent(kind.apply(thing), key -> new ArrayList<>()).add(thing));
    List<T> wanted = new ArrayList<>();
    kinds
        .values()
        .forEach(
            alike -> positions(alike.size()).forEach(position -> wanted.add(alike.get(position))));
    List<Gains> gains =
        measurements.all(
            wanted.stream()
                .map(
                    thing ->
                        new PieceMeasurer.Task<>(
                            memory.applyAsLong(thing),
                            (learner, lane, reader) -> probe.measure(thing, learner, lane, reader)))
                .toList());
    SampledGains<T> sampled = new SampledGains<>();
    for (int i = 0; i < gains.size(); i++) {
      sampled.measured.put(wanted.get(i), gains.get(i));
    }
    kinds.values().forEach(sampled::place);
    return sampled;
  }

  /** Ascending. The first layer is unlike all others, so what it gains must not spread to them. */
  private static List<Integer> positions(int count) {
    return List.copyOf(
        new TreeSet<>(Arrays.asList(0, Math.min(1, count - 1), count / 2, count - 1)));
  }

  private void place(List<T> alike) {
    List<Integer> positions = positions(alike.size());
    int next = 0;
    for (int i = 0; i < alike.size(); i++) {
      if (positions.get(next) < i) {
        next++;
      }
      int above = positions.get(next);
      if (above != i) {
        int below = positions.get(next - 1);
        places.put(
            alike.get(i),
            new Place(alike.get(below), alike.get(above), (double) (i - below) / (above - below)));
      }
    }
  }

  /** Of one of the things. */
  Gains of(T thing) {
    Place place = places.get(thing);
    return place == null
        ? measured(thing)
        : measured(place.below()).towards(measured(place.above()), place.share());
  }

  private Gains measured(Object thing) {
    return Objects.requireNonNull(measured.get(thing));
  }
}

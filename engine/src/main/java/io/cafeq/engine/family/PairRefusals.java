package io.cafeq.engine.family;

import io.cafeq.engine.family.Coupling.Kind;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.stream.IntStream;

/**
 * Gathers the layers that have no pair for the same reason into one sentence, in the order of first
 * mention.
 */
final class PairRefusals {
  private record Reason(Kind kind, String text) {}

  private final Map<Reason, SortedSet<Integer>> layers = new LinkedHashMap<>();

  /**
   * @param reason what follows a colon, without a full stop
   */
  void add(Kind kind, int layer, String reason) {
    layers.computeIfAbsent(new Reason(kind, reason), key -> new TreeSet<>()).add(layer);
  }

  List<String> sentences() {
    return layers.entrySet().stream()
        .map(entry -> sentence(entry.getKey(), entry.getValue()))
        .toList();
  }

  private static String sentence(Reason reason, SortedSet<Integer> layers) {
    String pairs =
        switch (reason.kind()) {
          case VALUE_OUTPUT -> "value-output";
          case QUERY_KEY -> "query-key";
        };
    return layers.size() == 1
        ? "Layer %d has no %s pair: %s.".formatted(layers.first(), pairs, reason.text())
        : "Layers %s have no %s pairs: %s.".formatted(ranges(layers), pairs, reason.text());
  }

  /** Such as {@code 0, 2 to 5 and 7}. */
  private static String ranges(SortedSet<Integer> layers) {
    List<String> ranges = new ArrayList<>();
    int first = layers.first();
    int last = first;
    for (int layer : layers.tailSet(first + 1)) {
      if (layer > last + 1) {
        ranges.addAll(range(first, last));
        first = layer;
      }
      last = layer;
    }
    ranges.addAll(range(first, last));
    String end = ranges.removeLast();
    return ranges.isEmpty() ? end : String.join(", ", ranges) + " and " + end;
  }

  private static List<String> range(int first, int last) {
    return last - first < 2
        ? IntStream.rangeClosed(first, last).mapToObj(String::valueOf).toList()
        : List.of(first + " to " + last);
  }
}

package io.cafeq.engine.family;

import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Layers that repeat: what the names of their tensors begin with, and for each layer the shapes of
 * its tensors. A stack has at least two matrices in some layer; a list of single matrices, as
 * adapters and mergers have it, is none.
 *
 * @param start the names' beginning up to the layer's number
 * @param layers by number: what follows the number in a name, and the shape
 */
record LayerStack(String start, SortedMap<Integer, SortedMap<String, List<Long>>> layers) {
  private static final int MOST_DIGITS = 6;
  private static final Pattern CALLED_LAYER = Pattern.compile("(?i).*(layer|block)s?[_-]");

  /**
   * A name that counts something.
   *
   * @param start the name up to the outermost number
   * @param rest what follows the number
   */
  record Numbered(String start, int number, String rest) {}

  /**
   * Empty for a name without a number that counts. A number is a module between full stops, or ends
   * one that is called a layer or a block, as in {@code layer_0}. One that a name begins with
   * counts modules of a pipeline, as in {@code 0.auto_model.}, and no layers.
   */
  static Optional<Numbered> locate(String name) {
    int from = 0;
    for (int stop = name.indexOf('.'); stop >= 0; stop = name.indexOf('.', from)) {
      int digits = firstDigit(name, from, stop);
      boolean counts = digits == from ? from > 0 : isCalledLayer(name.substring(from, digits));
      if (counts && digits < stop && stop - digits <= MOST_DIGITS) {
        return Optional.of(
            new Numbered(
                name.substring(0, digits),
                Integer.parseInt(name.substring(digits, stop)),
                name.substring(stop + 1)));
      }
      from = stop + 1;
    }
    return Optional.empty();
  }

  /** Where the digits begin that end a module; its end where there are none. */
  private static int firstDigit(String name, int from, int stop) {
    int first = stop;
    while (first > from && name.charAt(first - 1) >= '0' && name.charAt(first - 1) <= '9') {
      first--;
    }
    return first;
  }

  private static boolean isCalledLayer(String beforeNumber) {
    return CALLED_LAYER.matcher(beforeNumber).matches();
  }

  /**
   * @param shapes of all tensors, by name
   */
  static List<LayerStack> find(Map<String, List<Long>> shapes) {
    SortedMap<String, LayerStack> stacks = new TreeMap<>();
    shapes.forEach(
        (name, shape) ->
            locate(name)
                .ifPresent(
                    found ->
                        stacks
                            .computeIfAbsent(
                                found.start(), start -> new LayerStack(start, new TreeMap<>()))
                            .layers()
                            .computeIfAbsent(found.number(), number -> new TreeMap<>())
                            .put(found.rest(), shape)));
    return stacks.values().stream().filter(LayerStack::hasLayers).toList();
  }

  private boolean hasLayers() {
    return layers.values().stream()
        .anyMatch(
            layer ->
                layer.values().stream()
                        .filter(shape -> shape.size() == 2 || shape.size() == 3)
                        .count()
                    > 1);
  }

  /** Layers by the highest number, those that are missing counted too. */
  int count() {
    return layers.lastKey() + 1;
  }

  /** Whether a matrix reads or writes vectors of that many channels. */
  boolean touches(long width) {
    return shapes().anyMatch(shape -> shape.size() > 1 && shape.contains(width));
  }

  /** The shapes of all tensors of all layers. */
  Stream<List<Long>> shapes() {
    return layers.values().stream().flatMap(layer -> layer.values().stream());
  }

  /**
   * How many experts a layer has: lengths of stacks of three dimensions, and numbers that follow a
   * module of experts.
   */
  Set<Long> experts() {
    Set<Long> counts = new HashSet<>();
    for (SortedMap<String, List<Long>> layer : layers.values()) {
      Map<String, Long> numbered = new TreeMap<>();
      layer.forEach(
          (rest, shape) -> {
            NameWords words = NameWords.of(rest);
            if (!words.hasAny(LayerWords.EXPERTS)) {
              return;
            }
            if (shape.size() == 3) {
              counts.add(shape.getFirst());
            }
            locate(rest)
                .ifPresent(inner -> numbered.merge(inner.start(), inner.number() + 1L, Math::max));
          });
      counts.addAll(numbered.values());
    }
    return counts;
  }
}

package io.cafeq.engine.family;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * A tensor's name, or the beginning of one, as what people mean by it: its modules between full
 * stops, and the words of each. {@code mlp.gate_up_proj.weight} has the modules {@code mlp} and
 * {@code gate_up_proj}, the latter of the words gate, up, proj.
 */
record NameWords(List<List<String>> modules) {
  private static final Pattern STOPS = Pattern.compile("\\.");
  private static final Pattern BETWEEN_WORDS = Pattern.compile("[_\\-]+|(?<=[a-z])(?=[A-Z])");
  private static final Pattern NUMBER = Pattern.compile("\\d+");
  private static final Pattern WEIGHT = Pattern.compile("[._]weight$");

  NameWords {
    modules = modules.stream().map(List::copyOf).toList();
  }

  /** The word "weight" at the end says nothing and is left out, like numbers between full stops. */
  static NameWords of(String name) {
    String module = WEIGHT.matcher(name).replaceFirst("");
    List<List<String>> modules = new ArrayList<>();
    for (String each : STOPS.split(module)) {
      if (NUMBER.matcher(each).matches()) {
        continue;
      }
      modules.add(
          Arrays.stream(BETWEEN_WORDS.split(each))
              .filter(word -> !word.isEmpty())
              .map(word -> word.toLowerCase(Locale.ROOT))
              .toList());
    }
    return new NameWords(modules);
  }

  /** The words of the module that the tensor belongs to. */
  List<String> last() {
    return modules.isEmpty() ? List.of() : modules.getLast();
  }

  /** The words of the module around that one; empty where there is none. */
  List<String> outer() {
    return modules.size() < 2 ? List.of() : modules.get(modules.size() - 2);
  }

  /** Whether a module but the last is called exactly that. */
  boolean isInside(Set<String> names) {
    return modules.stream()
        .limit(Math.max(0, modules.size() - 1L))
        .anyMatch(words -> names.contains(String.join("_", words)));
  }

  boolean hasAny(Set<String> words) {
    return modules.stream().anyMatch(module -> module.stream().anyMatch(words::contains));
  }

  boolean lastHasAny(Set<String> words) {
    return last().stream().anyMatch(words::contains);
  }

  /**
   * Of two kinds of words the one that comes last: a tower around a text model is no tower. Within
   * a module {@code first} wins.
   */
  boolean endsWithAny(Set<String> first, Set<String> second) {
    for (List<String> words : modules.reversed()) {
      if (words.stream().anyMatch(first::contains)) {
        return true;
      }
      if (words.stream().anyMatch(second::contains)) {
        return false;
      }
    }
    return false;
  }

  /** Joined again, as in {@code in_proj}. */
  String lastText() {
    return last().stream().collect(Collectors.joining("_"));
  }
}

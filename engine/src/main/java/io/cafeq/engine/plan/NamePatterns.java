package io.cafeq.engine.plan;

import io.cafeq.config.Spelling;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * The recipe's regular expressions over the names of a checkpoint. Each is compiled once; {@link
 * #requireUse} refuses those that match nothing, which are nearly always typing errors.
 */
final class NamePatterns {
  private static final int NAMES_SHOWN = 3;

  private final Map<String, Pattern> compiled = new HashMap<>();

  /** True if the whole of one of the names matches. A tied tensor has several. */
  boolean matches(String pattern, List<String> names) {
    Pattern regex = compiled.computeIfAbsent(pattern, Pattern::compile);
    return names.stream().anyMatch(name -> regex.matcher(name).matches());
  }

  /**
   * @param patterns what the user wrote, with its key
   * @throws EngineException naming every pattern that matches none of the names
   */
  void requireUse(
      List<Map.Entry<String, String>> patterns, List<List<String>> names, String modelName) {
    List<String> all = names.stream().flatMap(List::stream).toList();
    List<String> unused = new ArrayList<>();
    for (Map.Entry<String, String> entry : patterns) {
      if (names.stream().noneMatch(each -> matches(entry.getValue(), each))) {
        unused.add(
            "%s '%s' matches no tensor%s"
                .formatted(entry.getKey(), entry.getValue(), nearest(entry.getValue(), all)));
      }
    }
    if (!unused.isEmpty()) {
      throw new EngineException(
          FailureKind.USAGE,
          modelName + ": " + String.join("; ", unused),
          "Correct the pattern: it must match the whole name (.* stands for any text), or leave it"
              + " out.");
    }
  }

  /** Of the names that differ in their numbers alone, one is shown. */
  private static String nearest(String pattern, List<String> names) {
    String literal =
        pattern
            .replaceAll("\\\\d[+*]?|\\[0-9][+*]?", "0")
            .replaceAll("[.][*+?]|\\\\|[()\\[\\]^$?*+|]", "");
    Map<String, String> kinds = new HashMap<>();
    for (String name : names) {
      kinds.merge(name.replaceAll("\\d+", "0"), name, (first, second) -> first);
    }
    String shown =
        kinds.entrySet().stream()
            .map(
                kind -> Map.entry(Spelling.distanceWithin(literal, kind.getKey()), kind.getValue()))
            .sorted(
                Map.Entry.<Integer, String>comparingByKey()
                    .thenComparing(Map.Entry.comparingByValue()))
            .limit(NAMES_SHOWN)
            .map(Map.Entry::getValue)
            .collect(Collectors.joining(", "));
    return shown.isEmpty() ? "" : " (the nearest names are " + shown + ")";
  }
}

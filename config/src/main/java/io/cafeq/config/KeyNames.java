package io.cafeq.config;

import java.util.Collection;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Finds a setting by the name that a file or a program gives it. Keys are full, such as {@code
 * recipe.pairs.steps}; in a file the first section may be left out, as in {@code pairs.steps}.
 * Option names ({@code pair-steps}) are unique and identify a key.
 */
final class KeyNames {
  private final Set<String> keys;
  private final Set<String> sections = new TreeSet<>();
  private final SortedMap<String, String> keysByOption = new TreeMap<>();

  /**
   * @param keys in full
   */
  KeyNames(Collection<String> keys) {
    this.keys = new TreeSet<>(keys);
    for (String key : keys) {
      for (int dot = key.indexOf('.'); dot >= 0; dot = key.indexOf('.', dot + 1)) {
        sections.add(key.substring(0, dot));
      }
      keysByOption.put(SettingKey.option(key), key);
    }
  }

  /** The full name of a section, given its name within {@code scope}. */
  Optional<String> section(String scope, String name) {
    return find(scope, name, sections);
  }

  /** The full key, given its name within {@code scope}, which is empty for the top of a file. */
  Optional<String> key(String scope, String name) {
    return find(scope, name, keys);
  }

  private Optional<String> find(String scope, String name, Set<String> known) {
    if (!scope.isEmpty()) {
      return Optional.of(scope + "." + name).filter(known::contains);
    }
    return known.contains(name)
        ? Optional.of(name)
        : sections.stream()
            .filter(section -> !section.contains("."))
            .map(section -> section + "." + name)
            .filter(known::contains)
            .findFirst();
  }

  /** The key whose option has this name, as a file writes it within {@code scope}. */
  Optional<String> byOption(String scope, String option) {
    return Optional.ofNullable(keysByOption.get(option)).map(key -> within(scope, key));
  }

  /** A remedy for a name within {@code scope} that is no key. */
  String remedy(String scope, String name) {
    SortedMap<String, String> candidates = candidates(scope);
    return byOption(scope, name)
        .map(key -> "Write " + key + " instead.")
        .or(
            () ->
                Spelling.suggestion(name, candidates.keySet())
                    .map(near -> "Did you mean " + candidates.get(near) + "?"))
        .orElseGet(
            () -> "The keys are " + String.join(", ", new TreeSet<>(candidates.values())) + ".");
  }

  /** A remedy for a full key that does not exist. */
  String remedy(String key) {
    return Optional.ofNullable(keysByOption.get(key.substring(key.lastIndexOf('.') + 1)))
        .or(() -> Spelling.suggestion(key, keys))
        .map(near -> "Did you mean " + near + "?")
        .orElseGet(() -> "The keys are " + String.join(", ", keys) + ".");
  }

  /** Candidates for suggestions within {@code scope}, each with the correct name there. */
  private SortedMap<String, String> candidates(String scope) {
    SortedMap<String, String> candidates = new TreeMap<>();
    for (Map.Entry<String, String> entry : keysByOption.entrySet()) {
      String key = entry.getValue();
      if (scope.isEmpty() || key.startsWith(scope + ".")) {
        candidates.put(entry.getKey(), within(scope, key));
        candidates.put(within(scope, key), within(scope, key));
      }
    }
    for (String section : sections) {
      if (scope.isEmpty() || section.startsWith(scope + ".")) {
        candidates.putIfAbsent(within(scope, section), within(scope, section));
      }
    }
    if (scope.isEmpty()) {
      candidates.put(ReferenceConf.ROOT, ReferenceConf.ROOT);
    }
    return candidates;
  }

  /** As short as a file may write a key or a section within {@code scope}, else in full. */
  private String within(String scope, String full) {
    if (scope.isEmpty()) {
      return full.substring(full.indexOf('.') + 1);
    }
    return full.startsWith(scope + ".") ? full.substring(scope.length() + 1) : full;
  }
}

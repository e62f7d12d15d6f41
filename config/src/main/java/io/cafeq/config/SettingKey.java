package io.cafeq.config;

import java.util.List;
import java.util.Map;

/**
 * A key of {@code reference.conf}.
 *
 * @param key in full, such as {@code recipe.grid.bits}
 * @param kind the shape of its value
 * @param defaultText the default as a file would write it
 * @param summary what it sets, in one sentence
 */
public record SettingKey(String key, Kind kind, String defaultText, String summary) {
  private static final Map<String, String> OPTION_PREFIXES =
      Map.of("recipe.pairs", "pair-", "recipe.statistics", "statistics-");

  private static final Map<String, String> OPTIONS =
      Map.of(
          "recipe.pairs.enabled", "pairs",
          "recipe.statistics.source", "statistics",
          "recipe.transform.bits", "transform-bits",
          "recipe.transform.storage", "transform-storage");

  /** The shapes that values have. */
  public enum Kind {
    /** A number or a word. */
    VALUE,
    /** True or false. */
    SWITCH,
    /** Regular expressions. */
    PATTERNS,
    /** A list of objects, which only a file can hold conveniently. */
    OBJECTS
  }

  /** All keys in the order of {@code reference.conf}. */
  public static List<SettingKey> all() {
    return ReferenceConf.keys();
  }

  /** The name of its option without dashes, which no other key has: {@code bits}. */
  public String option() {
    return option(key);
  }

  /**
   * The name of a key's option: {@code pair-steps} for {@code recipe.pairs.steps}. The last part of
   * the key, unless a table of this class says otherwise.
   *
   * @param key in full
   */
  public static String option(String key) {
    int dot = key.lastIndexOf('.');
    String prefix = dot < 0 ? "" : OPTION_PREFIXES.getOrDefault(key.substring(0, dot), "");
    return OPTIONS.getOrDefault(key, prefix + key.substring(dot + 1));
  }
}

package io.cafeq.config;

import java.util.List;

/**
 * A key of {@code reference.conf}.
 *
 * @param key in full, such as {@code recipe.bits}
 * @param kind how its value looks
 * @param defaultText the default as it would be written in a file
 * @param comment what {@code reference.conf} says about it, as one paragraph
 */
public record SettingKey(String key, Kind kind, String defaultText, String comment) {
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
    return Layers.referenceKeys();
  }

  /** The last part of the key, which names it within its section: {@code bits}. */
  public String name() {
    return key.substring(key.lastIndexOf('.') + 1);
  }
}

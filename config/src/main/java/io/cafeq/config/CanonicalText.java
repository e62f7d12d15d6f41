package io.cafeq.config;

import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** JSON with one way to write each value, since recipes are compared by the hash of their text. */
final class CanonicalText {
  private CanonicalText() {}

  static String object(SortedMap<String, String> entries) {
    return entries.entrySet().stream()
        .map(entry -> quoted(entry.getKey()) + ":" + entry.getValue())
        .collect(Collectors.joining(",", "{", "}"));
  }

  /** An object per section of the dotted keys. */
  static String nested(SortedMap<String, String> entries) {
    SortedMap<String, String> outer = new TreeMap<>();
    SortedMap<String, SortedMap<String, String>> sections = new TreeMap<>();
    entries.forEach(
        (key, value) -> {
          int dot = key.indexOf('.');
          if (dot < 0) {
            outer.put(key, value);
          } else {
            sections
                .computeIfAbsent(key.substring(0, dot), section -> new TreeMap<>())
                .put(key.substring(dot + 1), value);
          }
        });
    sections.forEach((section, inner) -> outer.put(section, nested(inner)));
    return object(outer);
  }

  static String list(List<String> elements) {
    return elements.stream().collect(Collectors.joining(",", "[", "]"));
  }

  static String numberOr(OptionalInt value, String word) {
    return value.isPresent() ? Integer.toString(value.getAsInt()) : quoted(word);
  }

  static String decimalOr(OptionalDouble value, String word) {
    return value.isPresent() ? Double.toString(value.getAsDouble()) : quoted(word);
  }

  static String wordOr(Optional<?> value, String word) {
    return quoted(value.map(Object::toString).orElse(word));
  }

  /** Without a fraction where there is none. */
  static String plain(double value) {
    return value == Math.rint(value) ? Long.toString((long) value) : Double.toString(value);
  }

  static String quoted(String text) {
    StringBuilder quoted = new StringBuilder("\"");
    for (char c : text.toCharArray()) {
      if (c == '"' || c == '\\') {
        quoted.append('\\').append(c);
      } else if (c < 0x20 || c > 0x7e) {
        quoted.append("\\u%04x".formatted((int) c));
      } else {
        quoted.append(c);
      }
    }
    return quoted.append('"').toString();
  }
}

package io.cafeq.engine.text;

import java.util.List;
import java.util.stream.Collectors;

/**
 * Makes regular expressions for {@code include} and {@code exclude} that can be pasted between
 * single quotes.
 */
public final class NamePattern {
  private static final int MOST_NAMED = 4;

  private NamePattern() {}

  /** Matches this name. */
  public static String of(String name) {
    return of(List.of(name));
  }

  /** Matches these names, or all that begin as they do where they are many. */
  public static String of(List<String> names) {
    if (names.size() > MOST_NAMED) {
      String first = names.getFirst();
      int length = first.length();
      for (String name : names) {
        while (!name.startsWith(first.substring(0, length))) {
          length--;
        }
      }
      return literal(first.substring(0, length)) + ".*";
    }
    return names.stream().map(NamePattern::literal).collect(Collectors.joining("|"));
  }

  /**
   * Matches these names and those that differ from them in their numbers alone, such as those of
   * other layers.
   */
  public static String ofKinds(List<String> names) {
    return names.stream()
        .map(name -> literal(name).replaceAll("[0-9]+", "\\\\d+"))
        .distinct()
        .collect(Collectors.joining("|"));
  }

  /** Characters that a shell or a reader could take for another are matched by their class. */
  private static String literal(String name) {
    StringBuilder text = new StringBuilder();
    name.codePoints()
        .forEach(
            character -> {
              boolean plain =
                  character < 128
                      && (Character.isLetterOrDigit(character)
                          || character == '_'
                          || character == '-');
              text.append(plain ? Character.toString(character) : character == '.' ? "\\." : "\\W");
            });
    return text.toString();
  }
}

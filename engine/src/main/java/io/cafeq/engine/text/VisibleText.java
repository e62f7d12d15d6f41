package io.cafeq.engine.text;

import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Escapes text from files before it is shown. A character that does not print as itself becomes its
 * JSON escape, a backslash, a u and four hexadecimal digits for each UTF-16 unit: control
 * characters (escape sequences of terminals begin with one), line and paragraph separators, format
 * characters (bidirectional overrides, zero-width joiners, tags), characters that are drawn as
 * nothing, spaces other than the usual one, halves of surrogate pairs, private and unassigned
 * characters.
 *
 * <p>A backslash stays as it is, so that escaped text can be escaped again without change, and
 * applied to JSON the result is JSON of the same value: outside of strings JSON has none of these
 * characters but line feeds.
 */
public final class VisibleText {
  private static final int LONGEST_NAME = 200;
  private static final int LONGEST_WORD = 1000;

  /**
   * Unicode's Default_Ignorable_Code_Point beyond the format characters, in ranges that Java has no
   * name for.
   */
  private static final Set<Integer> DRAWN_AS_NOTHING =
      Set.of(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0);

  private VisibleText() {}

  /** Escapes text into one line; line breaks are escaped too. */
  public static String line(String text) {
    return escaped(text, false);
  }

  /**
   * Escapes text whose line feeds are our own, such as a table or a JSON document; only they are
   * kept.
   */
  public static String lines(String text) {
    return escaped(text, true);
  }

  /** Escapes a message of one line; words of over 1000 characters are cut. */
  public static String message(String text) {
    String line = line(text);
    if (line.length() <= LONGEST_WORD) {
      return line;
    }
    return Stream.of(line.split(" ", -1))
        .map(word -> word.length() <= LONGEST_WORD ? word : cut(word))
        .collect(Collectors.joining(" "));
  }

  /** Quotes a name for a message: escaped, and cut where it is long. */
  public static String quoted(String name) {
    return "\"" + shortened(name) + "\"";
  }

  /** Escapes a name or value for a message and cuts it where it is long. */
  public static String shortened(String name) {
    return name.codePointCount(0, name.length()) > LONGEST_NAME ? cut(name) : line(name);
  }

  private static String cut(String text) {
    return line(text.substring(0, text.offsetByCodePoints(0, LONGEST_NAME))) + "...";
  }

  private static String escaped(String text, boolean lineFeedsStay) {
    if (text.codePoints().allMatch(c -> stays(c, lineFeedsStay))) {
      return text;
    }
    StringBuilder shown = new StringBuilder(text.length() + 16);
    text.codePoints()
        .forEach(
            c -> {
              if (stays(c, lineFeedsStay)) {
                shown.appendCodePoint(c);
              } else {
                for (char unit : Character.toChars(c)) {
                  shown.append(String.format("\\u%04x", (int) unit));
                }
              }
            });
    return shown.toString();
  }

  private static boolean stays(int character, boolean lineFeedsStay) {
    return isVisible(character) || lineFeedsStay && character == '\n';
  }

  /** Whether a terminal draws the character visibly and does not execute it. */
  static boolean isVisible(int character) {
    if (character < 0x7F) {
      return character >= ' ';
    }
    return switch (Character.getType(character)) {
      case Character.CONTROL,
          Character.FORMAT,
          Character.SURROGATE,
          Character.PRIVATE_USE,
          Character.UNASSIGNED,
          Character.LINE_SEPARATOR,
          Character.PARAGRAPH_SEPARATOR,
          Character.SPACE_SEPARATOR ->
          false;
      default -> !DRAWN_AS_NOTHING.contains(character) && !isVariationSelector(character);
    };
  }

  private static boolean isVariationSelector(int character) {
    return character >= 0xFE00 && character <= 0xFE0F
        || character >= 0xE0100 && character <= 0xE01EF
        || character >= 0x180B && character <= 0x180F;
  }
}

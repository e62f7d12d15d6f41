package io.cafeq.engine.checkpoint;

/** Names out of files that nobody has vouched for. */
public final class Names {
  private static final int SHOWN = 200;

  private Names() {}

  /** The name in quotes for a message: control characters escaped, long names cut. */
  public static String quoted(String name) {
    return "\"" + shortened(name) + "\"";
  }

  /** The text for a message: control characters escaped, long texts cut. */
  public static String shortened(String name) {
    StringBuilder text = new StringBuilder();
    name.codePoints().limit(SHOWN).forEach(c -> {
      if (Character.isISOControl(c) || Character.getType(c) == Character.SURROGATE) {
        text.append(String.format("\\u%04x", c));
      } else {
        text.appendCodePoint(c);
      }
    });
    return text.append(name.length() > SHOWN ? "..." : "").toString();
  }

  /** False where a surrogate stands alone: such a name cannot be written as UTF-8. */
  static boolean isWellFormed(String name) {
    return name.codePoints().noneMatch(c -> Character.getType(c) == Character.SURROGATE);
  }

  /** A file name without any way out of its folder. */
  static boolean isPlainFileName(String name) {
    return !name.isEmpty()
        && !name.equals(".")
        && !name.equals("..")
        && name.chars().noneMatch(c -> c == '/' || c == '\\' || c == 0)
        && isWellFormed(name);
  }
}

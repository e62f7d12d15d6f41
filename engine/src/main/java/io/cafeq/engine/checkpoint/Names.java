package io.cafeq.engine.checkpoint;

import io.cafeq.engine.text.VisibleText;

/** Names out of files that nobody has vouched for. */
public final class Names {
  private Names() {}

  /** As {@link VisibleText#quoted}. */
  public static String quoted(String name) {
    return VisibleText.quoted(name);
  }

  /** As {@link VisibleText#shortened}. */
  public static String shortened(String name) {
    return VisibleText.shortened(name);
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

package io.cafeq.engine.checkpoint;

/** Checks names from untrusted files. */
final class Names {
  private Names() {}

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

package io.cafeq.engine.checkpoint;

/** Checks names from untrusted files. */
final class Names {
  private Names() {}

  /** False where a surrogate stands alone: such a name cannot be written as UTF-8. */
  static boolean isWellFormed(String name) {
    return name.codePoints().noneMatch(c -> Character.getType(c) == Character.SURROGATE);
  }
}

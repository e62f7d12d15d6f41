package io.cafeq.tools;

import java.nio.file.Path;

/** Text that a person can paste into a shell. */
final class Shell {
  private Shell() {}

  /** As it is where a shell reads it as one plain word, else in single quotes. */
  static String quoted(Path path) {
    String text = path.toString();
    return text.matches("[A-Za-z0-9_./:@%+=,-]+") ? text : "'" + text.replace("'", "'\\''") + "'";
  }
}

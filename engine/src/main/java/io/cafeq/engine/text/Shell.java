package io.cafeq.engine.text;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** Quotes text so that it can be pasted into a shell. */
public final class Shell {
  private Shell() {}

  /**
   * As it is where a shell reads it as one plain word, else in single quotes; in those of bash and
   * zsh, byte by byte, where it holds what a terminal does not show.
   */
  public static String quoted(String text) {
    if (text.matches("[A-Za-z0-9_./:@%+=,-]+")) {
      return text;
    }
    return VisibleText.line(text).equals(text)
        ? "'" + text.replace("'", "'\\''") + "'"
        : "$'" + bytes(text) + "'";
  }

  /** The same for a path. */
  public static String quoted(Path path) {
    return quoted(path.toString());
  }

  private static String bytes(String text) {
    StringBuilder quoted = new StringBuilder();
    for (byte each : text.getBytes(StandardCharsets.UTF_8)) {
      boolean isPlain = each >= ' ' && each < 0x7F && each != '\'' && each != '\\';
      quoted.append(isPlain ? String.valueOf((char) each) : String.format("\\x%02x", each & 0xFF));
    }
    return quoted.toString();
  }
}

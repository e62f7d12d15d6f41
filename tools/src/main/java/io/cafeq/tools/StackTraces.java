package io.cafeq.tools;

import io.cafeq.engine.text.VisibleText;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;

/**
 * Stack traces as Java prints them, but with messages on one line each, since they can hold names
 * from files.
 */
final class StackTraces {
  private StackTraces() {}

  /** The lines of the exception and of all causes. */
  static List<String> lines(Throwable thrown) {
    List<String> lines = new ArrayList<>();
    Set<Throwable> seen = Collections.newSetFromMap(new IdentityHashMap<>());
    for (Throwable at = thrown; at != null && seen.add(at); at = at.getCause()) {
      lines.add((at == thrown ? "" : "Caused by: ") + VisibleText.message(at.toString()));
      for (StackTraceElement frame : at.getStackTrace()) {
        lines.add("        at " + frame);
      }
      for (Throwable suppressed : at.getSuppressed()) {
        lines.add("        Suppressed: " + VisibleText.message(suppressed.toString()));
      }
    }
    return lines;
  }
}

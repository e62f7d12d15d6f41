package io.cafeq.tools;

import io.cafeq.engine.text.VisibleText;
import java.io.PrintStream;
import java.util.OptionalInt;

/**
 * Prints results on stdout, for scripts, and everything else on stderr. Everything passes {@link
 * VisibleText} here, so that no name from a file reaches a terminal unescaped. {@link TextTable}
 * and failures escape the parts of a line before they join lines, since a name with a line feed
 * would forge one.
 */
final class Console {
  private static final int USUAL_COLUMNS = 80;
  private static final String ERASE_LINE = "\r\u001b[K";

  private final PrintStream results;
  private final PrintStream messages;
  private final OptionalInt columns;

  /**
   * @param columns width of the terminal that messages go to; empty where they go to a file or a
   *     pipe
   */
  Console(PrintStream results, PrintStream messages, OptionalInt columns) {
    this.results = results;
    this.messages = messages;
    this.columns = columns;
  }

  /**
   * Reads the width of the terminal from the system property that the launcher sets, since Java
   * cannot ask.
   */
  static OptionalInt terminalColumns() {
    String said = System.getProperty("cafeq.terminal.columns");
    if (said == null) {
      return OptionalInt.empty();
    }
    return OptionalInt.of(said.matches("[1-9][0-9]{1,3}") ? Integer.parseInt(said) : USUAL_COLUMNS);
  }

  /** Returns the width of the terminal; empty where messages do not go to one. */
  OptionalInt columns() {
    return columns;
  }

  /** Prints a part of the result; the text has its own line ends. */
  void result(String text) {
    results.print(VisibleText.lines(text));
    results.flush();
  }

  /** Prints the one JSON document of a {@code --json} run. */
  void json(Object document) {
    result(JsonPrinter.text(document));
  }

  /** Prints one line on stderr; it replaces a live line. */
  void message(String line) {
    print(VisibleText.line(line));
  }

  /** Prints a failure and its remedy. */
  void failure(Failure failure) {
    print(VisibleText.lines("cafeq: " + failure.message()));
    message("       " + failure.remedy());
  }

  private void print(String shown) {
    messages.println((columns.isPresent() ? ERASE_LINE : "") + shown);
  }

  /** Redraws the live line of a terminal. */
  void live(String line) {
    messages.print(ERASE_LINE + VisibleText.line(line));
    messages.flush();
  }

  /** Returns the writer for help texts, which hold no text from files. */
  PrintStream results() {
    return results;
  }
}

package io.cafeq.tools;

import io.cafeq.engine.text.VisibleText;
import java.io.PrintStream;
import java.util.OptionalInt;

/**
 * Where a command prints: results on stdout, which scripts read, all else on stderr. Everything
 * passes {@link VisibleText} here, so that no name from a file reaches a terminal as it is; what a
 * line is made of is escaped before lines are put together, by {@link TextTable} and by failures,
 * or a name with a line feed would forge one.
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
   * The launcher finds out about the terminal, since Java cannot, and says so in a system property.
   */
  static OptionalInt terminalColumns() {
    String said = System.getProperty("cafeq.terminal.columns");
    if (said == null) {
      return OptionalInt.empty();
    }
    return OptionalInt.of(said.matches("[1-9][0-9]{1,3}") ? Integer.parseInt(said) : USUAL_COLUMNS);
  }

  /** Empty where messages do not go to a terminal. */
  OptionalInt columns() {
    return columns;
  }

  /** A part of the result; the text brings its own line ends. */
  void result(String text) {
    results.print(VisibleText.lines(text));
    results.flush();
  }

  /** The one JSON document of a {@code --json} run. */
  void json(Object document) {
    result(JsonPrinter.text(document));
  }

  /** One line for the person who watches; it takes the place of a live line. */
  void message(String line) {
    print(VisibleText.line(line));
  }

  /** What went wrong and what to do. */
  void failure(Failure failure) {
    print(VisibleText.lines("cafeq: " + failure.message()));
    message("       " + failure.remedy());
  }

  private void print(String shown) {
    messages.println((columns.isPresent() ? ERASE_LINE : "") + shown);
  }

  /** Draws the live line of a terminal anew. */
  void live(String line) {
    messages.print(ERASE_LINE + VisibleText.line(line));
    messages.flush();
  }

  /** For the help texts, which are ours alone. */
  PrintStream results() {
    return results;
  }
}

package io.cafeq.tools;

import java.io.PrintStream;

/**
 * Where a command prints: results on stdout, which scripts read, all else on stderr. Everything is plain ASCII or what the
 * user's own names contain.
 */
final class Console {
  private final PrintStream results;
  private final PrintStream messages;

  Console(PrintStream results, PrintStream messages) {
    this.results = results;
    this.messages = messages;
  }

  /** A part of the result; the text brings its own line ends. */
  void result(String text) {
    results.print(text);
    results.flush();
  }

  /** The one JSON document of a {@code --json} run. */
  void json(Object document) {
    result(Json.text(document));
  }

  /** One line for the person who watches. */
  void message(String line) {
    messages.println(line);
  }

  PrintStream results() {
    return results;
  }

  PrintStream messages() {
    return messages;
  }
}

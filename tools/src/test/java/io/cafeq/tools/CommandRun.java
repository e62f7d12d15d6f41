package io.cafeq.tools;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.OptionalInt;

/** What one command came to, run inside the test's own process. */
record CommandRun(int exitCode, String out, String err) {

  static CommandRun of(String... arguments) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    Console console =
        new Console(
            new PrintStream(out, true, StandardCharsets.UTF_8),
            new PrintStream(err, true, StandardCharsets.UTF_8),
            OptionalInt.empty());
    Interruption interruption = new Interruption();
    int exitCode =
        Main.commandLine(console, interruption, new Failures(console, interruption))
            .execute(arguments);
    return new CommandRun(
        exitCode, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
  }

  /** All that was said, for a test that fails. */
  @Override
  public String toString() {
    return "exit code " + exitCode + "\n" + err + out;
  }
}

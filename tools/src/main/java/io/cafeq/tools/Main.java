package io.cafeq.tools;

import java.io.PrintStream;
import picocli.CommandLine;

/** The program {@code cafeq}. */
@CommandLine.Command(
    name = "cafeq",
    description = "Quantizes large language models without calibration data.",
    versionProvider = Version.class,
    mixinStandardHelpOptions = true,
    sortOptions = false)
public final class Main {
  private Main() {}

  /** Runs one command and ends the process with its exit code. */
  public static void main(String[] arguments) {
    PrintStream results = System.out;
    // Libraries print banners; stdout carries results only.
    System.setOut(System.err);
    CommandLine commandLine = new CommandLine(new Main());
    commandLine.setOut(new java.io.PrintWriter(results, true));
    System.exit(commandLine.execute(arguments));
  }
}

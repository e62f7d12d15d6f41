package io.cafeq.tools;

import picocli.CommandLine.Option;

/** Options of every command. */
final class CommonOptions {
  @Option(names = "--json", description = "Print one JSON document on stdout, for failures too.")
  boolean json;

  @Option(names = "--stacktrace", description = "Print the stack trace of a failure.")
  boolean stacktrace;

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "Show this help.")
  boolean help;
}

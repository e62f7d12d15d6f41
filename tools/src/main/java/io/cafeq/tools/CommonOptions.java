package io.cafeq.tools;

import picocli.CommandLine.Option;

/** What every command understands. */
final class CommonOptions {
  @Option(names = "--json", description = "Print one JSON document on stdout, also for a failure.")
  boolean json;

  @Option(names = "--stacktrace", description = "Show where in the program a failure arose.")
  boolean stacktrace;

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "Show this help.")
  boolean help;
}

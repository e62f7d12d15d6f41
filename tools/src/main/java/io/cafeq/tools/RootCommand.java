package io.cafeq.tools;

import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code cafeq} without a command. */
@Command(
    name = "cafeq",
    header = "Quantizes large language models in bounded memory; no calibration data needed.",
    synopsisSubcommandLabel = "COMMAND",
    versionProvider = Version.class,
    footer = {
      "",
      "Exit codes: 0 success, 1 failure, 2 usage error, 3 faulty checkpoint, 4 units are missing"
          + " (run the",
      "same command again to resume), 130 and 143 stopped by SIGINT and SIGTERM.",
      "Run \"cafeq COMMAND --help\" for a command's options, \"cafeq demo\" for a tour on a small"
          + " model."
    })
final class RootCommand implements Runnable {
  @Spec CommandSpec spec;

  @Option(names = "--version", versionHelp = true, description = "Show the version.")
  boolean version;

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "Show this help.")
  boolean help;

  @Override
  public void run() {
    throw new CommandLine.ParameterException(spec.commandLine(), "name a command");
  }
}

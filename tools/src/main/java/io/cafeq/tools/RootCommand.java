package io.cafeq.tools;

import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code cafeq} without a command. */
@Command(
    name = "cafeq",
    header = "Quantizes large language models without your data, streamed in bounded memory.",
    synopsisSubcommandLabel = "COMMAND",
    versionProvider = Version.class,
    footer = {
      "",
      "Exit codes: 0 ok, 1 failure, 2 usage, 3 the checkpoint is at fault, 4 units are missing and"
          + " the same",
      "command continues, 130 and 143 stopped by SIGINT and SIGTERM.",
      "\"cafeq COMMAND --help\" tells more. \"cafeq demo\" shows it all on a small model that it"
          + " makes."
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
    throw new CommandLine.ParameterException(spec.commandLine(), "which command?");
  }
}

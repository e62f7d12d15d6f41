package io.cafeq.tools;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

/** Texts of the program name no option that it does not have. */
class NamedOptionsTest {
  private static final Pattern LITERAL = Pattern.compile("\"(?:[^\"\\\\]|\\\\.)*\"");

  /** Flags of the virtual machine have an equals sign. */
  private static final Pattern OPTION = Pattern.compile("--[a-z][a-z-]*[a-z](?![a-z=-])");

  @Test
  void everyOptionInATextExists() throws IOException {
    Set<String> options = options();
    assertThat(options).contains("--exclude", "--no-pairs", "--pairs", "--out", "--max-memory");
    List<String> unknown = new ArrayList<>();
    for (Path file : sources()) {
      for (String line : Files.readAllLines(file)) {
        LITERAL
            .matcher(line)
            .results()
            .flatMap(literal -> OPTION.matcher(literal.group()).results())
            .map(MatchResult::group)
            .filter(option -> !options.contains(option))
            .forEach(option -> unknown.add(option + " in " + file.getFileName()));
      }
    }
    assertThat(unknown).isEmpty();
  }

  private static List<Path> sources() throws IOException {
    List<Path> sources = new ArrayList<>();
    for (String module : List.of("config", "engine", "actors", "tools")) {
      try (var files = Files.walk(Repository.root().resolve(module).resolve("src/main/java"))) {
        files.filter(file -> file.toString().endsWith(".java")).forEach(sources::add);
      }
    }
    assertThat(sources).hasSizeGreaterThan(100);
    return sources;
  }

  private static Set<String> options() {
    PrintStream nowhere = new PrintStream(new ByteArrayOutputStream());
    Console console = new Console(nowhere, nowhere, OptionalInt.empty());
    Interruption interruption = new Interruption();
    CommandLine root = Main.commandLine(console, interruption, new Failures(console, interruption));
    Set<String> options = new TreeSet<>(root.getCommandSpec().optionsMap().keySet());
    for (CommandLine command : root.getSubcommands().values()) {
      command.getCommandSpec().options().forEach(option -> options.addAll(List.of(option.names())));
      options.addAll(command.getCommandSpec().negatedOptionsMap().keySet());
    }
    return options;
  }
}

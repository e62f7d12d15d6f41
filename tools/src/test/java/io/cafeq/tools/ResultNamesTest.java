package io.cafeq.tools;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** One class knows how a result's files are called. */
class ResultNamesTest {
  /** Names of a result's files as literals, which only {@code ResultLayout} may have. */
  private static final Pattern NAMES_OF_RESULTS =
      Pattern.compile(
          "\"[^\"\\n]*((?<!_)(manifest|report|plan|identity|tokens)\\.json|\\.arrow\\b|\\.part\\b"
              + "|\\.scratch\\b|layer-%|units/|statistics/|\\.cafeq\\b)[^\"\\n]*\""
              + "|resolve\\(\"(units|statistics|lock)\"\\)");

  @Test
  void onlyTheLayoutKnowsTheNamesOfAResult() throws IOException {
    List<String> found = new ArrayList<>();
    for (String module : List.of("config", "engine", "actors", "tools")) {
      try (Stream<Path> files =
          Files.walk(Repository.root().resolve(module).resolve("src/main/java"))) {
        for (Path file : files.filter(name -> name.toString().endsWith(".java")).toList()) {
          NAMES_OF_RESULTS
              .matcher(Files.readString(file))
              .results()
              .forEach(match -> found.add(file.getFileName() + ": " + match.group()));
        }
      }
    }
    assertThat(found).isNotEmpty().allMatch(name -> name.startsWith("ResultLayout.java"));
  }
}

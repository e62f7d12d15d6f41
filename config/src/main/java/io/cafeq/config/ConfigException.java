package io.cafeq.config;

import java.util.List;
import java.util.stream.Collectors;

/** All problems with the settings together. */
public final class ConfigException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final transient List<Problem> problems;

  public ConfigException(List<Problem> problems) {
    super(message(problems));
    this.problems = List.copyOf(problems);
  }

  /** At least one, in the order in which they were found. */
  public List<Problem> problems() {
    return problems;
  }

  private static String message(List<Problem> problems) {
    if (problems.size() == 1) {
      return problems.getFirst().toString();
    }
    return problems.stream()
        .map(problem -> "\n  " + problem)
        .collect(Collectors.joining("", problems.size() + " problems with the settings:", ""));
  }
}

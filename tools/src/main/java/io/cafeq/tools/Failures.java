package io.cafeq.tools;

import io.cafeq.config.ConfigException;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FullHeap;
import io.cafeq.engine.text.VisibleText;
import java.util.Arrays;
import java.util.Objects;
import java.util.stream.Collectors;
import picocli.CommandLine;

/** Turns a failure into a message, a remedy and an exit code. */
final class Failures
    implements CommandLine.IExecutionExceptionHandler, CommandLine.IParameterExceptionHandler {
  private final Console console;
  private final Interruption interruption;

  /** The error document of {@code --json}. */
  private record Document(Failure error) {}

  Failures(Console console, Interruption interruption) {
    this.console = console;
    this.interruption = interruption;
  }

  @Override
  public int handleExecutionException(
      Exception exception, CommandLine command, CommandLine.ParseResult parsed) {
    if (command.getParseResult().hasMatchedOption("--stacktrace")) {
      StackTraces.lines(exception).forEach(console::message);
    }
    return tell(
        describe(exception, command.getCommandSpec().exitCodeOnExecutionException()),
        command.getParseResult().hasMatchedOption("--json"));
  }

  @Override
  public int handleParseException(CommandLine.ParameterException exception, String[] arguments) {
    String name = exception.getCommandLine().getCommandSpec().qualifiedName();
    return tell(
        new Failure(
            ExitCode.USAGE,
            message(exception),
            suggestion(exception) + "Run \"" + name + " --help\" for its options."),
        Arrays.asList(arguments).contains("--json"));
  }

  private static String suggestion(CommandLine.ParameterException exception) {
    return exception instanceof CommandLine.UnmatchedArgumentException unmatched
            && !unmatched.getSuggestions().isEmpty()
        ? "Did you mean " + unmatched.getSuggestions().getFirst() + "? "
        : "";
  }

  /** For an {@link Error}, which picocli lets through. */
  int handle(Error error, boolean json) {
    return tell(describe(error, ExitCode.FAILURE), json);
  }

  private Failure describe(Throwable thrown, int environment) {
    return switch (thrown) {
      case EngineException known ->
          new Failure(
              ExitCode.of(known.kind(), environment, interruption), message(known), known.remedy());
      case ConfigException settings ->
          new Failure(
              ExitCode.USAGE,
              settings(settings),
              "Run \"cafeq config\" to see every setting and where it comes from.");
      case CommandLine.ParameterException usage ->
          new Failure(ExitCode.USAGE, message(usage), "Run \"cafeq --help\" for the commands.");
      case OutOfMemoryError full ->
          new Failure(
              ExitCode.FAILURE,
              "the program ran out of memory: " + full.getMessage(),
              "Run again with a larger Java heap, such as " + FullHeap.larger() + ".");
      default ->
          new Failure(
              ExitCode.FAILURE,
              "unexpected failure: " + VisibleText.message(thrown.toString()),
              "Please report this with the command and what --stacktrace adds.");
    };
  }

  private int tell(Failure failure, boolean json) {
    if (json) {
      console.json(new Document(failure));
    }
    console.failure(failure);
    return failure.code();
  }

  /** Puts each of several problems on a line of its own, whatever values a recipe has. */
  private static String settings(ConfigException thrown) {
    return thrown.problems().size() == 1
        ? message(thrown)
        : thrown.problems().stream()
            .map(problem -> "\n  " + VisibleText.message(problem.toString()))
            .collect(
                Collectors.joining(
                    "", thrown.problems().size() + " problems with the settings:", ""));
  }

  private static String message(Throwable thrown) {
    return VisibleText.message(Objects.requireNonNullElse(thrown.getMessage(), thrown.toString()));
  }
}

package io.cafeq.engine.export;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.text.VisibleText;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The options that a user gave for one format, all of which it has. */
public final class ExportOptions {
  private final String format;
  private final List<ExportOption> known;
  private final Map<String, String> values;

  /** Throws with kind USAGE where the format has no such option. */
  ExportOptions(ExportFormat<?> format, Map<String, String> values) {
    this.format = format.id();
    this.known = format.options();
    this.values = Map.copyOf(values);
    this.values.keySet().stream()
        .sorted()
        .filter(name -> known.stream().noneMatch(option -> option.name().equals(name)))
        .findFirst()
        .ifPresent(
            name -> {
              throw new EngineException(
                  FailureKind.USAGE,
                  "format " + this.format + " has no option " + VisibleText.quoted(name),
                  known.isEmpty()
                      ? "Leave it out: this format has no options."
                      : "Its options are: " + names() + ".");
            });
  }

  /** What the user gave. */
  public Optional<String> text(String name) {
    return Optional.ofNullable(values.get(name));
  }

  /** A whole number; USAGE where it is none, or not within [least, most]. */
  public int integer(String name, int least, int most, int otherwise) {
    return parsed(
        name,
        "a whole number from " + least + " to " + most,
        text -> {
          int value = Integer.parseInt(text);
          return value >= least && value <= most ? Optional.of(value) : Optional.empty();
        },
        otherwise);
  }

  /** True or false; USAGE for anything else. */
  public boolean flag(String name, boolean otherwise) {
    return parsed(
        name,
        "true or false",
        text -> Stream.of(true, false).filter(value -> value.toString().equals(text)).findFirst(),
        otherwise);
  }

  /** One of an enum's constants, by the text that it is shown as; USAGE for anything else. */
  public <E extends Enum<E>> E choice(String name, E otherwise) {
    List<E> all = List.of(otherwise.getDeclaringClass().getEnumConstants());
    return parsed(
        name,
        "one of " + all.stream().map(E::toString).collect(Collectors.joining(", ")),
        text -> all.stream().filter(value -> value.toString().equals(text)).findFirst(),
        otherwise);
  }

  private <T> T parsed(
      String name, String expected, Function<String, Optional<T>> parser, T otherwise) {
    String text = values.get(name);
    if (text == null) {
      return otherwise;
    }
    Optional<T> value;
    try {
      value = parser.apply(text);
    } catch (NumberFormatException e) {
      value = Optional.empty();
    }
    return value.orElseThrow(
        () ->
            new EngineException(
                FailureKind.USAGE,
                "option "
                    + name
                    + " of format "
                    + format
                    + " takes "
                    + expected
                    + ", not "
                    + VisibleText.quoted(text),
                "Give it " + expected + "."));
  }

  private String names() {
    return known.stream().map(ExportOption::name).collect(Collectors.joining(", "));
  }
}

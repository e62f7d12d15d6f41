package io.cafeq.config;

import com.typesafe.config.ConfigList;
import com.typesafe.config.ConfigObject;
import com.typesafe.config.ConfigValue;
import com.typesafe.config.ConfigValueType;
import java.net.URI;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.function.Function;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import java.util.stream.Stream;

/**
 * Reads typed values and records every problem. After a problem the answer is empty or false: check
 * the problems before you use what was read.
 */
final class ValueReader {
  private final Map<String, Given> values;
  private final List<Problem> problems;

  ValueReader(Map<String, Given> values, List<Problem> problems) {
    this.values = values;
    this.problems = problems;
  }

  boolean has(String key) {
    return values.containsKey(key);
  }

  OptionalInt integer(String key, int least, int most) {
    return number(key, least, most, "a whole number from %d to %d".formatted(least, most));
  }

  OptionalInt eightOrSix(String key) {
    String expected = "8 or 6";
    OptionalInt number = number(key, 6, 8, expected);
    if (number.orElse(8) == 7) {
      wrong(key, "7", expected);
    }
    return number;
  }

  /** Empty for {@code word}. */
  OptionalInt integerOr(String key, String word, int least, int most) {
    return word(key).equals(Optional.of(word))
        ? OptionalInt.empty()
        : number(
            key, least, most, "%s or a whole number from %d to %d".formatted(word, least, most));
  }

  /** Zero for {@code word}. */
  OptionalInt integerOrZero(String key, String word, int most) {
    return integerOrZero(key, word, most, word);
  }

  /** Empty for {@code absent}, zero for {@code word}. */
  OptionalInt integerOrZeroOr(String key, String absent, String word, int most) {
    return word(key).equals(Optional.of(absent))
        ? OptionalInt.empty()
        : integerOrZero(key, word, most, absent + ", " + word);
  }

  private OptionalInt integerOrZero(String key, String word, int most, String words) {
    return word(key).equals(Optional.of(word))
        ? OptionalInt.of(0)
        : number(key, 0, most, "%s or a whole number from 0 to %d".formatted(words, most));
  }

  /** Empty for {@code word}. */
  OptionalInt powerOfTwoOr(String key, String word, int least, int most) {
    if (word(key).equals(Optional.of(word))) {
      return OptionalInt.empty();
    }
    return powerOfTwo(
        key, least, most, "%s or a power of two from %d to %d".formatted(word, least, most));
  }

  OptionalInt powerOfTwo(String key, int least, int most) {
    return powerOfTwo(key, least, most, "a power of two from %d to %d".formatted(least, most));
  }

  private OptionalInt powerOfTwo(String key, int least, int most, String expected) {
    OptionalInt number = number(key, least, most, expected);
    if (number.isPresent() && Integer.bitCount(number.getAsInt()) != 1) {
      wrong(key, Integer.toString(number.getAsInt()), expected);
    }
    return number;
  }

  OptionalLong wide(String key) {
    return parsed(key, "a whole number of 64 bits", Long::parseLong)
        .map(OptionalLong::of)
        .orElse(OptionalLong.empty());
  }

  OptionalDouble decimal(String key, double least, double most) {
    return decimal(key, least, most, interval(least, most));
  }

  /** Empty for {@code word}. */
  OptionalDouble decimalOr(String key, String word, double least, double most) {
    return word(key).equals(Optional.of(word))
        ? OptionalDouble.empty()
        : decimal(key, least, most, word + " or " + interval(least, most));
  }

  private static String interval(double least, double most) {
    return "a number from %s to %s"
        .formatted(CanonicalText.plain(least), CanonicalText.plain(most));
  }

  private OptionalDouble decimal(String key, double least, double most, String expected) {
    Optional<Double> number = parsed(key, expected, Double::parseDouble);
    if (number.isPresent() && !(number.get() >= least && number.get() <= most)) {
      wrong(key, number.get().toString(), expected);
    }
    return number.isPresent()
        ? OptionalDouble.of(number.get() + 0.0)
        : OptionalDouble.empty(); // no minus zero
  }

  boolean flag(String key) {
    return flagFrom(key, "true or false").orElse(false);
  }

  /** Empty for {@code word}. */
  Optional<Boolean> flagOr(String key, String word) {
    return word(key).equals(Optional.of(word))
        ? Optional.empty()
        : flagFrom(key, word + ", on or off");
  }

  <E extends Enum<E>> Optional<E> choice(String key, Class<E> type) {
    return choice(key, type, Layers.alternatives(type.getEnumConstants()));
  }

  /** Empty for {@code word}. */
  <E extends Enum<E>> Optional<E> choiceOr(String key, String word, Class<E> type) {
    Object[] words =
        Stream.concat(Stream.of(word), Arrays.stream(type.getEnumConstants())).toArray();
    return word(key).equals(Optional.of(word))
        ? Optional.empty()
        : choice(key, type, Layers.alternatives(words));
  }

  /** A name of letters, digits and hyphens; empty for {@code word}. */
  Optional<String> nameOr(String key, String word) {
    Optional<String> name = word(key);
    if (name.isPresent() && !name.get().matches("[A-Za-z0-9][A-Za-z0-9._-]*")) {
      wrong(key, quoted(name.get()), word + " or a name");
    }
    return name.filter(given -> !given.equals(word));
  }

  /** An address of a server: https, or http. */
  Optional<String> address(String key) {
    return parsed(
        key,
        "an address such as https://HOST",
        text -> {
          URI address = URI.create(text);
          if (address.getHost() == null || !String.valueOf(address.getScheme()).matches("https?")) {
            throw new IllegalArgumentException(text);
          }
          return text;
        });
  }

  /** The name of an environment variable. */
  Optional<String> variable(String key) {
    return parsed(
        key,
        "the name of an environment variable",
        text -> {
          if (!text.matches("[A-Za-z_][A-Za-z0-9_]*")) {
            throw new IllegalArgumentException(text);
          }
          return text;
        });
  }

  /** A number of bytes. */
  OptionalLong size(String key, long least, long most) {
    return parsed(
            key,
            "a size from %dm to %dm".formatted(least >> 20, most >> 20),
            text -> {
              OptionalLong bytes = ByteSize.parse(text);
              if (bytes.isEmpty() || bytes.getAsLong() < least || bytes.getAsLong() > most) {
                throw new IllegalArgumentException(text);
              }
              return bytes;
            })
        .orElse(OptionalLong.empty());
  }

  /** Where the tokens of input statistics come from. */
  Optional<StatisticsSource> statisticsSource(String key) {
    Optional<StatisticsSource> source = word(key).flatMap(StatisticsSource::parse);
    if (source.isEmpty()) {
      wrong(
          key,
          word(key).map(ValueReader::quoted).orElseGet(() -> rendered(key)),
          "none, auto, random, text, self or file:PATH");
    }
    return source;
  }

  /** A number of bytes, at least {@code least}; empty for {@code word}. */
  OptionalLong sizeOr(String key, String word, long least) {
    Optional<String> text = word(key);
    if (text.isEmpty() || text.get().equals(word)) {
      if (text.isEmpty()) {
        wrong(key, rendered(key), word + " or a size such as 1g");
      }
      return OptionalLong.empty();
    }
    String expected =
        "%s or a size of at least %dm, such as 1g or 1500 MB".formatted(word, least >> 20);
    OptionalLong bytes = ByteSize.parse(text.get());
    if (bytes.isPresent() && bytes.getAsLong() >= least) {
      return bytes;
    }
    wrong(key, quoted(text.get()), expected);
    return OptionalLong.empty();
  }

  List<String> patterns(String key) {
    List<String> patterns = new ArrayList<>();
    if (given(key).value() instanceof ConfigList list) {
      for (ConfigValue element : list) {
        Given one = new Given(element, originOf(element, given(key)));
        pattern(key, one).ifPresent(patterns::add);
      }
    } else {
      pattern(key, given(key)).ifPresent(patterns::add);
    }
    return patterns;
  }

  Optional<String> pattern(String key) {
    return pattern(key, given(key));
  }

  /** The objects of a list, each with the path by which problems name it. */
  List<Map.Entry<String, Given>> objects(String key) {
    List<Map.Entry<String, Given>> objects = new ArrayList<>();
    if (!(given(key).value() instanceof ConfigList list)) {
      wrong(key, rendered(key), "a list of { pattern, ... }");
      return objects;
    }
    for (ConfigValue element : list) {
      String path = "%s[%d]".formatted(key, objects.size());
      Given one = new Given(element, originOf(element, given(key)));
      objects.add(Map.entry(path, one));
      if (!(element instanceof ConfigObject)) {
        wrong(path, one, element.render(), "an object { pattern, ... }");
      }
    }
    return objects;
  }

  static String originOf(ConfigValue inner, Given outer) {
    return outer.origin().equals(Given.COMMAND_LINE) || inner.origin().lineNumber() < 1
        ? outer.origin()
        : Layers.origin(inner, outer.origin().replaceFirst(":\\d+$", ""));
  }

  private Optional<String> pattern(String key, Given given) {
    Optional<String> text = word(given);
    if (text.isEmpty()) {
      wrong(key, given, given.value().render(), "a regular expression in quotes");
      return text;
    }
    try {
      Pattern.compile(text.get());
    } catch (PatternSyntaxException bad) {
      wrong(
          key,
          given,
          quoted(text.get()) + " (" + bad.getDescription() + ")",
          "a regular expression");
    }
    return text;
  }

  private OptionalInt number(String key, int least, int most, String expected) {
    Optional<Long> number = parsed(key, expected, Long::parseLong);
    if (number.isPresent() && (number.get() < least || number.get() > most)) {
      wrong(key, number.get().toString(), expected);
      return OptionalInt.empty();
    }
    return number.isPresent() ? OptionalInt.of(number.get().intValue()) : OptionalInt.empty();
  }

  private Optional<Boolean> flagFrom(String key, String expected) {
    return parsed(
        key,
        expected,
        text ->
            switch (text) {
              case "true", "on", "yes" -> true;
              case "false", "off", "no" -> false;
              default -> throw new IllegalArgumentException(text);
            });
  }

  private <E extends Enum<E>> Optional<E> choice(String key, Class<E> type, String expected) {
    return parsed(
        key,
        expected,
        text ->
            Arrays.stream(type.getEnumConstants())
                .filter(constant -> constant.toString().equals(text))
                .findFirst()
                .orElseThrow(IllegalArgumentException::new));
  }

  private <T> Optional<T> parsed(String key, String expected, Function<String, T> parse) {
    Optional<String> text = word(key);
    if (text.isEmpty()) {
      wrong(key, rendered(key), expected);
      return Optional.empty();
    }
    try {
      return Optional.of(parse.apply(text.get()));
    } catch (IllegalArgumentException unreadable) {
      wrong(key, quoted(text.get()), expected);
      return Optional.empty();
    }
  }

  /** A number, word or string as text; empty for lists, objects and null. */
  private Optional<String> word(String key) {
    return word(given(key));
  }

  private static Optional<String> word(Given given) {
    ConfigValueType type = given.value().valueType();
    boolean scalar =
        type == ConfigValueType.STRING
            || type == ConfigValueType.NUMBER
            || type == ConfigValueType.BOOLEAN;
    return scalar ? Optional.of(given.value().unwrapped().toString()) : Optional.empty();
  }

  private Given given(String key) {
    return Objects.requireNonNull(values.get(key), key);
  }

  private String rendered(String key) {
    return given(key).value().render();
  }

  private static String quoted(String text) {
    return "'" + text + "'";
  }

  void wrong(String key, String found, String expected) {
    wrong(key, given(key), found, expected);
  }

  void wrong(String key, Given given, String found, String expected) {
    problems.add(
        new Problem(key, given.origin(), found, expected, "Correct it, or leave the key out."));
  }
}

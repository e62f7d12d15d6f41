package io.cafeq.config;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigObject;
import com.typesafe.config.ConfigOrigin;
import com.typesafe.config.ConfigResolveOptions;
import com.typesafe.config.ConfigValue;
import com.typesafe.config.ConfigValueFactory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Lays the settings of a file and of the command line over those of reference.conf, key by key, and
 * reports keys that do not exist. {@link ValueReader} checks the values.
 */
final class Layers {
  static final Set<String> LISTS_OF_PATTERNS =
      Set.of("recipe.tensors.include", "recipe.tensors.exclude");

  private static final String OVERRIDES = "recipe.tensors.overrides";
  private static final Pattern BARE_INCLUDE =
      Pattern.compile("(^[ \\t]*|[{,][ \\t]*)include([ \\t]*(?:\\+?=|:))", Pattern.MULTILINE);

  private final List<Problem> problems;
  private final SortedMap<String, Given> values = new TreeMap<>();
  private final KeyNames names;

  Layers(List<Problem> problems) {
    this.problems = problems;
    ReferenceConf.values()
        .forEach((key, value) -> values.put(key, new Given(value, Given.DEFAULT)));
    this.names = new KeyNames(values.keySet());
  }

  /** Every key of reference.conf, such as {@code recipe.grid.bits}, with the value that holds. */
  SortedMap<String, Given> values() {
    return values;
  }

  void addFile(Path file) {
    if (!Files.isRegularFile(file) || !Files.isReadable(file)) {
      problems.add(
          new Problem(
              "recipe file",
              file.toString(),
              Files.exists(file) ? "something else" : "nothing",
              "a readable file",
              "Check the path."));
      return;
    }
    addObject(() -> parse(file), file.toString(), "");
  }

  /**
   * In HOCON a bare {@code include =} is an error, since include is a statement; here it is also a
   * key.
   */
  private static Config parse(Path file) {
    try {
      String text = Files.readString(file);
      Matcher bare = BARE_INCLUDE.matcher(text);
      return bare.find()
          ? ConfigFactory.parseString(bare.replaceAll("$1\"include\"$2"), ReferenceConf.HOCON)
          : ConfigFactory.parseFile(file.toFile(), ReferenceConf.HOCON);
    } catch (IOException unreadable) {
      throw new com.typesafe.config.ConfigException.Generic(
          "cannot be read as text: " + unreadable, unreadable);
    }
  }

  /**
   * @param section that holds the keys of the text, such as {@code recipe}; empty for a whole file
   */
  void addText(String text, String section) {
    addObject(() -> ConfigFactory.parseString(text, ReferenceConf.HOCON), "text", section);
  }

  void addCommandLine(Map<String, String> options) {
    new TreeMap<>(options)
        .forEach(
            (key, text) -> {
              if (!values.containsKey(key)) {
                problems.add(unknown(key, Given.COMMAND_LINE, names.remedy(key)));
                return;
              }
              try {
                values.put(key, new Given(commandLineValue(key, text), Given.COMMAND_LINE));
              } catch (com.typesafe.config.ConfigException notHocon) {
                problems.add(
                    new Problem(
                        key,
                        Given.COMMAND_LINE,
                        "'" + text + "'",
                        "a list of { pattern, ... }",
                        Objects.requireNonNullElse(
                            notHocon.getMessage(), "Check the brackets and quotes.")));
              }
            });
  }

  /**
   * Patterns are one per line, since every other separator, brackets too, can be part of a regular
   * expression.
   */
  private static ConfigValue commandLineValue(String key, String text) {
    if (LISTS_OF_PATTERNS.contains(key)) {
      return ConfigValueFactory.fromIterable(text.lines().filter(line -> !line.isEmpty()).toList());
    }
    if (key.equals(OVERRIDES)) {
      return ConfigFactory.parseString("value = " + text, ReferenceConf.HOCON)
          .resolve(ConfigResolveOptions.noSystem())
          .getValue("value");
    }
    return ConfigValueFactory.fromAnyRef(text);
  }

  private interface Source {
    Config parse();
  }

  private void addObject(Source source, String name, String section) {
    ConfigObject root;
    try {
      root = source.parse().resolve(ConfigResolveOptions.noSystem()).root();
    } catch (com.typesafe.config.ConfigException notHocon) {
      problems.add(
          new Problem(
              "recipe file",
              name,
              Objects.requireNonNullElse(notHocon.getMessage(), "something else"),
              "HOCON or JSON",
              "Correct the line that is named."));
      return;
    }
    SortedMap<String, Given> layer = new TreeMap<>();
    addEntries(root, section, name, layer);
    values.putAll(layer);
  }

  private void addEntries(
      ConfigObject object, String scope, String file, SortedMap<String, Given> layer) {
    for (String name : new TreeSet<>(object.keySet())) {
      ConfigValue value = Objects.requireNonNull(object.get(name));
      String origin = origin(value, file);
      Optional<String> section =
          scope.isEmpty() && name.equals(ReferenceConf.ROOT)
              ? Optional.of("")
              : names.section(scope, name);
      Optional<String> key = names.key(scope, name);
      if (section.isPresent() && value instanceof ConfigObject inner) {
        addEntries(inner, section.get(), file, layer);
      } else if (section.isPresent()) {
        problems.add(noSection(scope, name, value, origin));
      } else if (key.isEmpty()) {
        problems.add(unknown(name, origin, names.remedy(scope, name)));
      } else {
        addValue(name, key.get(), new Given(value, origin), layer);
      }
    }
  }

  private void addValue(String name, String key, Given given, SortedMap<String, Given> layer) {
    Given first = layer.putIfAbsent(key, given);
    if (first != null) {
      problems.add(
          new Problem(
              name,
              given.origin(),
              "a second value, the first is in " + first.origin(),
              "one value",
              "Remove one of the two."));
    }
  }

  /** Some sections have the name of an option: {@code pairs = off} means {@code pairs.enabled}. */
  private Problem noSection(String scope, String name, ConfigValue value, String origin) {
    String remedy =
        names
            .byOption(scope, name)
            .map(key -> "Write " + key + " instead.")
            .orElse("Put the keys of " + name + " in braces.");
    return new Problem(name, origin, value.render(), "a section { ... }", remedy);
  }

  private static Problem unknown(String key, String origin, String remedy) {
    return new Problem(key, origin, "an unknown key", "a key of reference.conf", remedy);
  }

  static String origin(ConfigValue value, String file) {
    ConfigOrigin origin = value.origin();
    String name = origin.filename() == null ? file : origin.filename();
    return origin.lineNumber() > 0 ? name + ":" + origin.lineNumber() : name;
  }

  /** The words of a sentence: a, b or c. */
  static String alternatives(Object[] words) {
    List<String> texts = new ArrayList<>(Arrays.stream(words).map(Object::toString).toList());
    String last = texts.removeLast();
    return texts.isEmpty() ? last : String.join(", ", texts) + " or " + last;
  }
}

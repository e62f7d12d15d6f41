package io.cafeq.config;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigObject;
import com.typesafe.config.ConfigOrigin;
import com.typesafe.config.ConfigParseOptions;
import com.typesafe.config.ConfigResolveOptions;
import com.typesafe.config.ConfigSyntax;
import com.typesafe.config.ConfigValue;
import com.typesafe.config.ConfigValueFactory;
import com.typesafe.config.ConfigValueType;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Lays the settings of a file and of the command line over those of reference.conf, key by key, and
 * finds keys that do not exist. Values are not looked at here; {@link ValueReader} does that.
 */
final class Layers {
  private static final String ROOT = "cafeq";
  private static final Set<String> SECTIONS = Set.of("recipe", "run", "remote");
  private static final Set<String> LISTS_OF_PATTERNS = Set.of("recipe.include", "recipe.exclude");
  private static final Pattern BARE_INCLUDE =
      Pattern.compile("(^[ \\t]*|[{,][ \\t]*)include([ \\t]*(?:\\+?=|:))", Pattern.MULTILINE);
  private static final ConfigParseOptions HOCON =
      ConfigParseOptions.defaults().setSyntax(ConfigSyntax.CONF).setAllowMissing(false);

  private final List<Problem> problems;
  private final SortedMap<String, Given> values = new TreeMap<>();

  Layers(List<Problem> problems) {
    this.problems = problems;
    Config reference = reference();
    for (String section : SECTIONS) {
      reference
          .getObject(ROOT + "." + section)
          .forEach(
              (key, value) -> values.put(section + "." + key, new Given(value, Given.DEFAULT)));
    }
  }

  /** Every key of reference.conf, such as {@code recipe.bits}, with the value that holds. */
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
              "a file that can be read",
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
          ? ConfigFactory.parseString(bare.replaceAll("$1\"include\"$2"), HOCON)
          : ConfigFactory.parseFile(file.toFile(), HOCON);
    } catch (IOException unreadable) {
      throw new com.typesafe.config.ConfigException.Generic(
          "cannot be read as text: " + unreadable, unreadable);
    }
  }

  /**
   * @param section where the keys of the text stand, {@code recipe} or {@code run}; empty for a
   *     whole file
   */
  void addText(String text, String section) {
    addObject(() -> ConfigFactory.parseString(text, HOCON), "text", section);
  }

  void addCommandLine(Map<String, String> options) {
    new TreeMap<>(options)
        .forEach(
            (key, text) -> {
              if (!values.containsKey(key)) {
                problems.add(unknownOption(key));
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
   * Patterns are one a line, since every other separator, brackets too, can be part of a regular
   * expression.
   */
  private static ConfigValue commandLineValue(String key, String text) {
    if (LISTS_OF_PATTERNS.contains(key)) {
      return ConfigValueFactory.fromIterable(text.lines().filter(line -> !line.isEmpty()).toList());
    }
    if (key.equals("recipe.overrides")) {
      return ConfigFactory.parseString("value = " + text, HOCON)
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
      ConfigObject object, String section, String file, SortedMap<String, Given> layer) {
    for (String key : new TreeSet<>(object.keySet())) {
      ConfigValue value = Objects.requireNonNull(object.get(key));
      boolean opensSection = section.isEmpty() && (key.equals(ROOT) || SECTIONS.contains(key));
      List<String> names =
          (section.isEmpty() ? SECTIONS : Set.of(section))
              .stream().map(name -> name + "." + key).filter(values::containsKey).toList();
      String origin = origin(value, file);
      if (opensSection && value.valueType() == ConfigValueType.OBJECT) {
        addEntries((ConfigObject) value, key.equals(ROOT) ? "" : key, file, layer);
      } else if (opensSection) {
        problems.add(
            new Problem(
                key,
                origin,
                value.render(),
                "a section { ... }",
                "Put the keys of " + key + " in braces."));
      } else if (names.isEmpty()) {
        unknown(key, origin, shortNames(section));
      } else if (layer.containsKey(names.getFirst())) {
        problems.add(
            new Problem(
                key,
                origin,
                "a second value, the first is in "
                    + Objects.requireNonNull(layer.get(names.getFirst())).origin(),
                "one value",
                "Remove one of the two."));
      } else {
        layer.put(names.getFirst(), new Given(value, origin));
      }
    }
  }

  private Set<String> shortNames(String section) {
    Set<String> names = new TreeSet<>();
    if (section.isEmpty()) {
      names.addAll(SECTIONS);
      names.add(ROOT);
    }
    values.keySet().stream()
        .filter(key -> section.isEmpty() || key.startsWith(section + "."))
        .forEach(key -> names.add(key.substring(key.indexOf('.') + 1)));
    return names;
  }

  /** The section is often what is wrong or missing, so only the last part is compared. */
  private Problem unknownOption(String key) {
    String shortName = key.substring(key.lastIndexOf('.') + 1);
    Set<String> likely = new TreeSet<>();
    Spelling.suggestion(shortName, shortNames(""))
        .ifPresent(
            near ->
                values.keySet().stream()
                    .filter(full -> full.endsWith("." + near))
                    .forEach(likely::add));
    return likely.isEmpty()
        ? unknownKey(key, key, Given.COMMAND_LINE, values.keySet())
        : new Problem(
            key,
            Given.COMMAND_LINE,
            "an unknown key",
            "a key of reference.conf",
            "Did you mean " + likely.iterator().next() + "?");
  }

  private void unknown(String key, String origin, Set<String> known) {
    problems.add(unknownKey(key, key, origin, known));
  }

  /**
   * @param path the key with all that leads to it, {@code key} its last part
   */
  static Problem unknownKey(String path, String key, String origin, Set<String> known) {
    String remedy =
        Spelling.suggestion(key, known)
            .map(near -> "Did you mean " + near + "?")
            .orElse("The keys are " + String.join(", ", new TreeSet<>(known)) + ".");
    return new Problem(path, origin, "an unknown key", "a key of reference.conf", remedy);
  }

  static String origin(ConfigValue value, String file) {
    ConfigOrigin origin = value.origin();
    String name = origin.filename() == null ? file : origin.filename();
    return origin.lineNumber() > 0 ? name + ":" + origin.lineNumber() : name;
  }

  /** Every key of reference.conf in the order of the file. */
  static List<SettingKey> referenceKeys() {
    List<Map.Entry<Integer, SettingKey>> keys = new ArrayList<>();
    for (String section : SECTIONS) {
      reference()
          .getObject(ROOT + "." + section)
          .forEach(
              (name, value) -> {
                String comment =
                    String.join(
                        " ", value.origin().comments().stream().map(String::strip).toList());
                String key = section + "." + name;
                keys.add(
                    Map.entry(
                        value.origin().lineNumber(),
                        new SettingKey(key, kind(key, value), value.render(), comment)));
              });
    }
    return keys.stream().sorted(Map.Entry.comparingByKey()).map(Map.Entry::getValue).toList();
  }

  private static SettingKey.Kind kind(String key, ConfigValue value) {
    if (LISTS_OF_PATTERNS.contains(key)) {
      return SettingKey.Kind.PATTERNS;
    }
    return switch (value.valueType()) {
      case BOOLEAN -> SettingKey.Kind.SWITCH;
      case LIST, OBJECT -> SettingKey.Kind.OBJECTS;
      case NUMBER, STRING, NULL -> SettingKey.Kind.VALUE;
    };
  }

  /**
   * Ours, and not the reference.conf of another library on the class path: the one beside this
   * class.
   */
  private static Config reference() {
    String resource = Layers.class.getName().replace('.', '/') + ".class";
    String self =
        Objects.requireNonNull(Layers.class.getResource("Layers.class"), "own class file")
            .toString();
    URI location =
        URI.create(self.substring(0, self.length() - resource.length()) + "reference.conf");
    try (Reader reader =
        new InputStreamReader(location.toURL().openStream(), StandardCharsets.UTF_8)) {
      return ConfigFactory.parseReader(reader, HOCON.setOriginDescription("reference.conf"));
    } catch (IOException broken) {
      throw new UncheckedIOException(
          "reference.conf is missing from the installation: " + location, broken);
    }
  }

  /** The words of a sentence: a, b or c. */
  static String alternatives(Object[] words) {
    List<String> texts = new ArrayList<>(Arrays.stream(words).map(Object::toString).toList());
    String last = texts.removeLast();
    return texts.isEmpty() ? last : String.join(", ", texts) + " or " + last;
  }
}

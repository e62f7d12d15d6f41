package io.cafeq.config;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigObject;
import com.typesafe.config.ConfigParseOptions;
import com.typesafe.config.ConfigSyntax;
import com.typesafe.config.ConfigValue;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** Reads {@code reference.conf}: the keys of all settings with their defaults and comments. */
final class ReferenceConf {
  /** The object that holds everything. */
  static final String ROOT = "cafeq";

  static final ConfigParseOptions HOCON =
      ConfigParseOptions.defaults().setSyntax(ConfigSyntax.CONF).setAllowMissing(false);

  private ReferenceConf() {}

  /** Full key, such as {@code recipe.grid.bits}, to its default. */
  static SortedMap<String, ConfigValue> values() {
    SortedMap<String, ConfigValue> values = new TreeMap<>();
    collect("", read().getObject(ROOT), values);
    return values;
  }

  private static void collect(
      String section, ConfigObject object, SortedMap<String, ConfigValue> values) {
    for (Map.Entry<String, ConfigValue> entry : object.entrySet()) {
      String key = section + entry.getKey();
      if (entry.getValue() instanceof ConfigObject inner) {
        collect(key + ".", inner, values);
      } else {
        values.put(key, entry.getValue());
      }
    }
  }

  /** Every key in the order of the file. */
  static List<SettingKey> keys() {
    return values().entrySet().stream()
        .sorted(Comparator.comparingInt(entry -> entry.getValue().origin().lineNumber()))
        .map(entry -> settingKey(entry.getKey(), entry.getValue()))
        .toList();
  }

  /** The first paragraph of the comment is the summary. */
  private static SettingKey settingKey(String key, ConfigValue value) {
    List<String> lines = value.origin().comments().stream().map(String::strip).toList();
    String summary =
        lines.stream().takeWhile(line -> !line.isEmpty()).collect(Collectors.joining(" "));
    return new SettingKey(key, kind(key, value), value.render(), summary);
  }

  private static SettingKey.Kind kind(String key, ConfigValue value) {
    if (Layers.LISTS_OF_PATTERNS.contains(key)) {
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
  private static Config read() {
    String resource = ReferenceConf.class.getName().replace('.', '/') + ".class";
    String self =
        Objects.requireNonNull(
                ReferenceConf.class.getResource("ReferenceConf.class"), "own class file")
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
}

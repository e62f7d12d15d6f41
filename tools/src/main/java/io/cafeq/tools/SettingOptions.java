package io.cafeq.tools;

import io.cafeq.config.SettingKey;
import io.cafeq.config.Settings;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParseResult;

/**
 * The settings as options, made from {@code reference.conf}: {@code recipe.transform.bits} is
 * {@code --transform-bits}, with the summary and the default of that file as its help. Values are
 * read and checked by {@link Settings} alone.
 */
final class SettingOptions {
  private static final String RECIPE_FILE = "--recipe";

  private final List<SettingKey> keys = SettingKey.all();

  /** Gives the command one option for each key. */
  void addTo(CommandSpec command) {
    CommandSpec options = CommandSpec.create();
    options.addOption(
        OptionSpec.builder(RECIPE_FILE)
            .type(Path.class)
            .paramLabel("FILE")
            .description("File of settings in HOCON or JSON; options override it.")
            .build());
    keys.forEach(key -> option(key).ifPresent(options::addOption));
    command.addMixin("settings", options);
  }

  private static Optional<OptionSpec> option(SettingKey key) {
    OptionSpec.Builder option =
        OptionSpec.builder(name(key))
            .description(
                (key.summary() + " Default: " + key.defaultText().replace("\"", "") + ".")
                    .replace("%", "%%"));
    return switch (key.kind()) {
      case VALUE -> Optional.of(option.type(String.class).paramLabel("VALUE").build());
      case SWITCH -> Optional.of(option.type(boolean.class).arity("0").negatable(true).build());
      case PATTERNS ->
          Optional.of(
              option.type(List.class).auxiliaryTypes(String.class).paramLabel("REGEX").build());
      // A list of objects is for a file.
      case OBJECTS -> Optional.empty();
    };
  }

  /** What the command line says, over the recipe file, over the defaults. */
  Settings load(ParseResult parsed) {
    Map<String, String> given = new TreeMap<>();
    for (SettingKey key : keys) {
      if (parsed.hasMatchedOption(name(key))) {
        given.put(key.key(), text(parsed.matchedOption(name(key))));
      }
    }
    return Settings.load(Optional.ofNullable(parsed.matchedOptionValue(RECIPE_FILE, null)), given);
  }

  private static String name(SettingKey key) {
    return "--" + key.option();
  }

  private static String text(ArgSpec option) {
    return option.getValue() instanceof List<?> patterns
        ? String.join("\n", patterns.stream().map(Object::toString).toList())
        : option.getValue().toString();
  }
}

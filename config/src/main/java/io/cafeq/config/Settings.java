package io.cafeq.config;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * All settings of a run, and where each came from. Neither the environment nor system properties
 * are read.
 *
 * @param origins key such as {@code recipe.bits} to {@code default}, {@code FILE:LINE} or {@code
 *     command line}
 */
public record Settings(
    Recipe recipe, RunSettings run, RemoteSettings remote, SortedMap<String, String> origins) {

  /** Settings that a program made: their origins are not known. */
  public Settings(Recipe recipe, RunSettings run) {
    this(recipe, run, RemoteSettings.defaults(), new TreeMap<>());
  }

  /**
   * reference.conf, under the user's file, under the command line.
   *
   * @param file HOCON or JSON; its keys stand at the top level, in {@code recipe}, {@code run} and
   *     {@code remote}, or in {@code cafeq}
   * @param overrides full key, such as {@code recipe.bits}, to the text of the option; several
   *     patterns of {@code include} or {@code exclude} are one a line, {@code overrides} is a HOCON
   *     list
   * @throws ConfigException with everything that is wrong
   */
  public static Settings load(Optional<Path> file, Map<String, String> overrides) {
    List<Problem> problems = new ArrayList<>();
    Layers layers = new Layers(problems);
    file.ifPresent(layers::addFile);
    layers.addCommandLine(overrides);
    return read(layers, problems);
  }

  /** The defaults under a text whose keys stand in one section. */
  static Settings parse(String text, String section) {
    List<Problem> problems = new ArrayList<>();
    Layers layers = new Layers(problems);
    layers.addText(text, section);
    return read(layers, problems);
  }

  private static Settings read(Layers layers, List<Problem> problems) {
    SettingsReader reader = new SettingsReader(layers.values(), problems);
    Recipe recipe = reader.recipe();
    RunSettings run = reader.run();
    RemoteSettings remote = reader.remote();
    if (!problems.isEmpty()) {
      throw new ConfigException(problems);
    }
    SortedMap<String, String> origins = new TreeMap<>();
    layers.values().forEach((key, given) -> origins.put(key, given.origin()));
    return new Settings(recipe, run, remote, origins);
  }

  /** Full key to value, each value as JSON. */
  public SortedMap<String, String> entries() {
    SortedMap<String, String> entries = new TreeMap<>();
    recipe.entries().forEach((key, value) -> entries.put("recipe." + key, value));
    run.entries().forEach((key, value) -> entries.put("run." + key, value));
    remote.entries().forEach((key, value) -> entries.put("remote." + key, value));
    return entries;
  }

  /** Every key, its value and where it came from, as a file that {@link #load} reads. */
  public String render() {
    StringBuilder text = new StringBuilder("cafeq {\n");
    section(text, "recipe", recipe.entries());
    section(text, "run", run.entries());
    section(text, "remote", remote.entries());
    return text.append("}\n").toString();
  }

  private void section(StringBuilder text, String name, SortedMap<String, String> entries) {
    text.append("  ").append(name).append(" {\n");
    entries.forEach(
        (key, value) -> {
          String shown =
              value.matches("\"[a-z0-9][a-z0-9-]*\"")
                  ? value.substring(1, value.length() - 1)
                  : value;
          String origin = origins.getOrDefault(name + "." + key, "set by the program");
          text.append(
              "    %-40s # %s\n"
                  .formatted(quotedIfKeyword(key) + " = " + shown, origin.replaceAll("\\R", " ")));
        });
    text.append("  }\n");
  }

  private static String quotedIfKeyword(String key) {
    return key.equals("include") ? "\"include\"" : key;
  }
}

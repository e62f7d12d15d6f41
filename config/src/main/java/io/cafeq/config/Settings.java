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
 * @param origins key such as {@code recipe.grid.bits} to {@code default}, {@code FILE:LINE} or
 *     {@code command line}
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
   * @param file HOCON or JSON; its keys in full ({@code recipe.grid.bits}), within {@code cafeq},
   *     or without their first section ({@code grid.bits})
   * @param overrides full key, such as {@code recipe.grid.bits}, to the text of the option; several
   *     patterns of {@code include} or {@code exclude} are one per line, {@code overrides} is a
   *     HOCON list
   * @throws ConfigException with everything that is wrong
   */
  public static Settings load(Optional<Path> file, Map<String, String> overrides) {
    List<Problem> problems = new ArrayList<>();
    Layers layers = new Layers(problems);
    file.ifPresent(layers::addFile);
    layers.addCommandLine(overrides);
    return read(layers, problems);
  }

  /** The defaults under a text whose keys belong to one section. */
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
    List<String> open = new ArrayList<>();
    entries()
        .forEach(
            (key, value) -> {
              List<String> path = List.of(key.split("\\."));
              List<String> sections = path.subList(0, path.size() - 1);
              closeUntil(text, open, sections);
              for (String section : sections.subList(open.size(), sections.size())) {
                text.append(indent(open)).append(section).append(" {\n");
                open.add(section);
              }
              text.append(line(indent(open) + quotedIfKeyword(path.getLast()), value, origin(key)));
            });
    closeUntil(text, open, List.of());
    return text.append("}\n").toString();
  }

  private static void closeUntil(StringBuilder text, List<String> open, List<String> sections) {
    while (open.size() > sections.size() || !open.equals(sections.subList(0, open.size()))) {
      open.removeLast();
      text.append(indent(open)).append("}\n");
    }
  }

  private static String indent(List<String> open) {
    return "  ".repeat(open.size() + 1);
  }

  private String origin(String key) {
    return origins.getOrDefault(key, "set by the program").replaceAll("\\R", " ");
  }

  private static String line(String name, String value, String origin) {
    String shown =
        value.matches("\"[a-z0-9][a-z0-9-]*\"") ? value.substring(1, value.length() - 1) : value;
    return "%-46s # %s\n".formatted(name + " = " + shown, origin);
  }

  private static String quotedIfKeyword(String key) {
    return key.equals("include") ? "\"include\"" : key;
  }
}

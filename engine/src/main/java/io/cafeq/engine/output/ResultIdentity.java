package io.cafeq.engine.output;

import com.fasterxml.jackson.databind.JsonNode;
import io.cafeq.config.SettingKey;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * What the units of an output folder were made from. Two runs with equal identities make the same
 * files.
 *
 * @param recipe the canonical recipe, a JSON object with defaults written out
 * @param recipeHash SHA-256 of its canonical text
 * @param shards the source's weight files in order
 * @param sideFiles the files that go along, config.json among them, sorted by name
 * @param statistics in whose metric they were made
 * @param units the plan: each unit's id with the names of its tensors
 */
public record ResultIdentity(
    int algorithmVersion,
    JsonNode recipe,
    String recipeHash,
    List<Shard> shards,
    List<SideFile> sideFiles,
    Statistics statistics,
    SortedMap<String, List<String>> units) {
  /** Units that were made without statistics. */
  public ResultIdentity(
      int algorithmVersion,
      JsonNode recipe,
      String recipeHash,
      List<Shard> shards,
      List<SideFile> sideFiles,
      SortedMap<String, List<String>> units) {
    this(algorithmVersion, recipe, recipeHash, shards, sideFiles, Statistics.NONE, units);
  }

  public ResultIdentity {
    shards = List.copyOf(shards);
    sideFiles = List.copyOf(sideFiles);
    units = new TreeMap<>(units);
  }

  /**
   * What is known of the inputs.
   *
   * @param source where the tokens came from, whatever was asked for; {@code none} for no
   *     statistics
   * @param tokensSha256 of the tokens; empty for no statistics
   */
  public record Statistics(String source, String tokensSha256) {
    public static final Statistics NONE = new Statistics("none", "");
  }

  /** One weight file of the source. */
  public record Shard(String name, long bytes) {}

  /** How {@code asked} differs from this, each a phrase for the user; empty if it does not. */
  public List<String> differences(ResultIdentity asked) {
    List<String> differences = new ArrayList<>();
    if (algorithmVersion != asked.algorithmVersion) {
      differences.add(
          "algorithm version: this folder has %d, this program has %d"
              .formatted(algorithmVersion, asked.algorithmVersion));
    }
    recipeDifferences(asked, differences);
    sideFileDifferences(asked, differences);
    if (!statistics.equals(asked.statistics)) {
      differences.add(
          statistics.source().equals(asked.statistics.source())
              ? "statistics: " + statistics.source() + " gives other tokens now"
              : phrase("statistics", statistics.source(), asked.statistics.source()));
    }
    if (!shards.equals(asked.shards)) {
      differences.add(phrase("source files", describe(shards), describe(asked.shards)));
    } else if (!units.equals(asked.units)) {
      differences.add(firstDifferentUnit(asked));
    }
    return differences;
  }

  private static String phrase(String name, String there, String asked) {
    return "%s: this folder has %s, you asked for %s".formatted(name, there, asked);
  }

  private void recipeDifferences(ResultIdentity asked, List<String> differences) {
    SortedMap<String, JsonNode> there = settings(recipe);
    SortedMap<String, JsonNode> now = settings(asked.recipe);
    SortedSet<String> names = new TreeSet<>(there.keySet());
    names.addAll(now.keySet());
    for (String name : names) {
      String has = text(there.get(name));
      String wanted = text(now.get(name));
      if (!has.equals(wanted)) {
        differences.add(phrase(name, has, wanted));
      }
    }
    if (differences.isEmpty() && !recipeHash.equals(asked.recipeHash)) {
      differences.add(phrase("recipe hash", recipeHash, asked.recipeHash));
    }
  }

  /**
   * Values by the names of their options. The recipes of algorithm versions before 4 have no
   * sections, but these names.
   */
  private static SortedMap<String, JsonNode> settings(JsonNode recipe) {
    SortedMap<String, JsonNode> settings = new TreeMap<>();
    collect("recipe", recipe, settings);
    return settings;
  }

  private static void collect(String section, JsonNode node, SortedMap<String, JsonNode> settings) {
    node.properties()
        .forEach(
            entry -> {
              String key = section + "." + entry.getKey();
              if (entry.getValue().isObject()) {
                collect(key, entry.getValue(), settings);
              } else {
                settings.put(SettingKey.option(key), entry.getValue());
              }
            });
  }

  private void sideFileDifferences(ResultIdentity asked, List<String> differences) {
    TreeSet<String> names = new TreeSet<>();
    sideFiles.stream()
        .filter(file -> !asked.sideFiles.contains(file))
        .map(SideFile::name)
        .forEach(names::add);
    asked.sideFiles.stream()
        .filter(file -> !sideFiles.contains(file))
        .map(SideFile::name)
        .forEach(names::add);
    if (!names.isEmpty()) {
      differences.add("the source's side files changed: " + String.join(", ", names));
    }
  }

  private String firstDifferentUnit(ResultIdentity asked) {
    TreeSet<String> ids = new TreeSet<>(units.keySet());
    ids.addAll(asked.units.keySet());
    for (String id : ids) {
      List<String> there = units.get(id);
      List<String> now = asked.units.get(id);
      if (!Objects.equals(there, now)) {
        return "planned unit %s: this folder has %s, the plan has %s"
            .formatted(id, there == null ? "none" : there, now == null ? "none" : now);
      }
    }
    throw new IllegalStateException("no unit differs");
  }

  private static String text(@Nullable JsonNode value) {
    if (value == null) {
      return "no value";
    }
    return value.isTextual() ? value.textValue() : value.toString();
  }

  private static String describe(List<Shard> shards) {
    if (shards.size() > 3) {
      return shards.size()
          + " files of "
          + shards.stream().mapToLong(Shard::bytes).sum()
          + " bytes";
    }
    return shards.stream()
        .map(shard -> shard.name() + " (" + shard.bytes() + " bytes)")
        .toList()
        .toString();
  }
}

package io.cafeq.engine.output;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;

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
          "algorithm version "
              + algorithmVersion
              + " there, "
              + asked.algorithmVersion
              + " in this program");
    }
    recipeDifferences(asked, differences);
    sideFileDifferences(asked, differences);
    if (!statistics.equals(asked.statistics)) {
      differences.add(
          statistics.source().equals(asked.statistics.source())
              ? "statistics: other tokens there than now come from " + statistics.source()
              : "statistics: of "
                  + statistics.source()
                  + " there, of "
                  + asked.statistics.source()
                  + " now");
    }
    if (!shards.equals(asked.shards)) {
      differences.add(
          "source files: " + describe(shards) + " there, " + describe(asked.shards) + " now");
    } else if (!units.equals(asked.units)) {
      differences.add("planned units: " + firstDifferentUnit(asked));
    }
    return differences;
  }

  private void recipeDifferences(ResultIdentity asked, List<String> differences) {
    TreeSet<String> keys = new TreeSet<>();
    recipe.fieldNames().forEachRemaining(keys::add);
    asked.recipe.fieldNames().forEachRemaining(keys::add);
    int before = differences.size();
    for (String key : keys) {
      JsonNode there = recipe.path(key);
      JsonNode now = asked.recipe.path(key);
      if (!there.toString().equals(now.toString())) {
        differences.add(key + ": " + text(there) + " there, " + text(now) + " now");
      }
    }
    if (before == differences.size() && !recipeHash.equals(asked.recipeHash)) {
      differences.add("recipe hash " + recipeHash + " there, " + asked.recipeHash + " now");
    }
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
        return id
            + " is "
            + (there == null ? "absent" : there)
            + " there, "
            + (now == null ? "absent" : now)
            + " now";
      }
    }
    throw new IllegalStateException("no unit differs");
  }

  private static String text(JsonNode value) {
    return value.isMissingNode()
        ? "absent"
        : value.isTextual() ? value.textValue() : value.toString();
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

package io.cafeq.config;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * Everything that changes the bytes of a result: the keys of {@code recipe} in {@code
 * reference.conf}, which explains each, with one record per section. {@link Settings} makes and
 * checks recipes.
 *
 * @param target the program that the result is for
 * @param targetBitsPerWeight the key {@code target-bpw}: upper limit for codes, scales, zero points
 *     and transforms together. Where it is set, each unit gets its own values for what is {@code
 *     auto} in grid and transform
 * @param fallBack whether round-to-nearest (RTN) at equal bits replaces a transform that is no
 *     better
 * @param baselines whether RTN is measured beside the result; the units' files keep the figures.
 *     Empty is {@code auto}
 * @param seed of all random numbers
 */
public record Recipe(
    Method method,
    Target target,
    OptionalDouble targetBitsPerWeight,
    GridSettings grid,
    TransformSettings transform,
    Rounding rounding,
    PairSettings pairs,
    StatisticsSettings statistics,
    boolean fallBack,
    Optional<Boolean> baselines,
    long seed,
    TensorSelection tensors) {

  /** The recipe of {@code reference.conf}. */
  public static Recipe defaults() {
    return of(Map.of());
  }

  /**
   * The defaults with some settings changed.
   *
   * @param changes name of the option without dashes ({@code bits}, {@code pair-steps}) to its text
   * @throws ConfigException on unknown names and bad values
   */
  public static Recipe of(Map<String, String> changes) {
    Map<String, String> keys =
        SettingKey.all().stream().collect(Collectors.toMap(SettingKey::option, SettingKey::key));
    Map<String, String> overrides = new TreeMap<>();
    changes.forEach((name, value) -> overrides.put(keys.getOrDefault(name, name), value));
    return Settings.load(Optional.empty(), overrides).recipe();
  }

  /**
   * Reads {@link #canonical()} back, but for the folders of a text for statistics.
   *
   * @throws ConfigException if the text is no recipe
   */
  public static Recipe parse(String canonical) {
    return Settings.parse(canonical, "recipe").recipe();
  }

  /** Baselines as set, else on for the methods with a transform, whose gain they show. */
  public boolean measuresBaselines() {
    return baselines.orElseGet(
        () ->
            switch (method) {
              case CAFEQ, ROTATION, HADAMARD -> true;
              case RTN, NONE -> false;
            });
  }

  /**
   * JSON with sorted keys and every default written out, the same however the recipe was given; it
   * holds no paths.
   */
  public String canonical() {
    SortedMap<String, String> entries = entries();
    entries.put(StatisticsSettings.SOURCE, CanonicalText.quoted(statistics.source().text()));
    return CanonicalText.nested(entries);
  }

  /** SHA-256 of {@link #canonical()} in lower-case hexadecimal. */
  public String hash() {
    try {
      byte[] digest =
          MessageDigest.getInstance("SHA-256").digest(canonical().getBytes(StandardCharsets.UTF_8));
      return HexFormat.of().formatHex(digest);
    } catch (NoSuchAlgorithmException impossible) {
      throw new IllegalStateException("every Java platform has SHA-256", impossible);
    }
  }

  /** Key within {@code recipe} to value, both as in the canonical form, but for paths. */
  SortedMap<String, String> entries() {
    SortedMap<String, String> entries = new TreeMap<>();
    entries.put("method", CanonicalText.quoted(method.text()));
    entries.put("target", CanonicalText.quoted(target.text()));
    entries.put("target-bpw", CanonicalText.decimalOr(targetBitsPerWeight, "none"));
    entries.put("rounding", CanonicalText.quoted(rounding.text()));
    entries.put("fall-back", Boolean.toString(fallBack));
    entries.put("baselines", CanonicalText.wordOr(baselines.map(on -> on ? "on" : "off"), "auto"));
    entries.put("seed", Long.toString(seed));
    grid.addTo(entries);
    transform.addTo(entries);
    pairs.addTo(entries);
    statistics.addTo(entries);
    tensors.addTo(entries);
    return entries;
  }
}

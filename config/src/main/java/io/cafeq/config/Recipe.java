package io.cafeq.config;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Everything that changes the bytes of a result. {@code reference.conf} says what each key means.
 * Checked by {@link Settings}, which is how recipes are made; an empty optional is {@code auto}
 * (for {@code embeddings} and {@code target-bpw}: {@code none}).
 *
 * @param group input channels that share a scale, 0 for the whole row
 * @param targetBitsPerWeight the key {@code target-bpw}: all bits of the quantized tensors, a
 *     weight. Where it is set, what is empty among bits, group, scales, block, side and transform
 *     storage is chosen for each unit
 * @param transformBits the most that stored transforms may add, in bits a weight
 * @param baselines whether plain rounding is measured beside the result; the figures stand in the
 *     units' files
 * @param include regular expressions, sorted, each once
 * @param exclude regular expressions, sorted, each once
 * @param overrides in the order in which they apply
 */
public record Recipe(
    Method method,
    OptionalInt bits,
    OptionalInt group,
    OptionalDouble targetBitsPerWeight,
    Optional<ScaleStorage> scales,
    int scaleBits,
    OptionalInt block,
    Optional<Side> side,
    double transformBits,
    Optional<TransformStorage> transformStorage,
    Loss loss,
    int steps,
    boolean clip,
    Rounding rounding,
    boolean fallBack,
    long seed,
    OptionalInt embeddings,
    Optional<Boolean> baselines,
    PairSettings pair,
    StatisticsSettings statistics,
    List<String> include,
    List<String> exclude,
    List<TensorOverride> overrides) {

  /** What {@code bits = auto} means where nothing chooses. */
  public static final int USUAL_BITS = 4;

  /** What {@code group = auto} means where nothing chooses. */
  public static final int USUAL_GROUP = 128;

  public Recipe {
    include = include.stream().distinct().sorted().toList();
    exclude = exclude.stream().distinct().sorted().toList();
    overrides = List.copyOf(overrides);
  }

  /** The recipe of {@code reference.conf}. */
  public static Recipe defaults() {
    return of(Map.of());
  }

  /**
   * The defaults with some keys changed, named as in {@code reference.conf}: {@code bits}, {@code
   * scale-bits}.
   *
   * @throws ConfigException on unknown keys and bad values
   */
  public static Recipe of(Map<String, String> changes) {
    Map<String, String> overrides = new TreeMap<>();
    changes.forEach((key, value) -> overrides.put("recipe." + key, value));
    return Settings.load(Optional.empty(), overrides).recipe();
  }

  /**
   * Back from {@link #canonical()}, but for the folders of a text for statistics.
   *
   * @throws ConfigException if the text is no recipe
   */
  public static Recipe parse(String canonical) {
    return Settings.parse(canonical, "recipe").recipe();
  }

  /** Bits as set, else {@link #USUAL_BITS}. */
  public int usualBits() {
    return bits.orElse(USUAL_BITS);
  }

  /** The group as set, 0 for the whole row, else {@link #USUAL_GROUP}. */
  public int usualGroup() {
    return group.orElse(USUAL_GROUP);
  }

  /** The storage of transforms as set, else int8. */
  public TransformStorage usualTransformStorage() {
    return transformStorage.orElse(TransformStorage.INT8);
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
    return CanonicalText.object(entries);
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

  /** Key to value, both as they stand in the canonical form, but for paths. */
  SortedMap<String, String> entries() {
    SortedMap<String, String> entries = new TreeMap<>();
    entries.put("method", CanonicalText.quoted(method.text()));
    entries.put("bits", CanonicalText.numberOr(bits, "auto"));
    entries.put("group", CanonicalText.numberOr(group, "auto"));
    entries.put("target-bpw", CanonicalText.decimalOr(targetBitsPerWeight, "none"));
    entries.put("scales", CanonicalText.wordOr(scales, "auto"));
    entries.put("scale-bits", Integer.toString(scaleBits));
    entries.put("block", CanonicalText.numberOr(block, "auto"));
    entries.put("side", CanonicalText.wordOr(side, "auto"));
    entries.put("transform-bits", Double.toString(transformBits));
    entries.put("transform-storage", CanonicalText.wordOr(transformStorage, "auto"));
    entries.put("loss", CanonicalText.quoted(loss.text()));
    entries.put("steps", Integer.toString(steps));
    entries.put("clip", Boolean.toString(clip));
    entries.put("rounding", CanonicalText.quoted(rounding.text()));
    entries.put("fall-back", Boolean.toString(fallBack));
    entries.put("seed", Long.toString(seed));
    entries.put("embeddings", CanonicalText.numberOr(embeddings, "none"));
    entries.put("baselines", CanonicalText.wordOr(baselines.map(on -> on ? "on" : "off"), "auto"));
    pair.addTo(entries);
    statistics.addTo(entries);
    entries.put(
        "include", CanonicalText.list(include.stream().map(CanonicalText::quoted).toList()));
    entries.put(
        "exclude", CanonicalText.list(exclude.stream().map(CanonicalText::quoted).toList()));
    entries.put(
        "overrides",
        CanonicalText.list(overrides.stream().map(TensorOverride::canonical).toList()));
    return entries;
  }
}

package io.cafeq.config;

import java.util.Optional;
import java.util.OptionalInt;
import java.util.SortedMap;

/**
 * The grids that weights are rounded to; keys of {@code recipe.grid}. An empty optional is {@code
 * auto}.
 *
 * @param bits per code, 2 to 8
 * @param group input channels that share a scale, 0 for the whole row
 * @param scales how scales and zero points are stored
 * @param scaleBits bits per compact scale, 8 or 6
 * @param clip whether ranges are clipped to the least squared error
 * @param columnScales whether input channels of known statistics are scaled before they are rounded
 */
public record GridSettings(
    OptionalInt bits,
    OptionalInt group,
    Optional<ScaleStorage> scales,
    int scaleBits,
    boolean clip,
    boolean columnScales) {

  /** Meaning of {@code bits = auto} where nothing chooses. */
  public static final int USUAL_BITS = 4;

  /** Meaning of {@code group = auto} where nothing chooses. */
  public static final int USUAL_GROUP = 128;

  /** Bits as set, else {@link #USUAL_BITS}. */
  public int usualBits() {
    return bits.orElse(USUAL_BITS);
  }

  /** The group as set, 0 for the whole row, else {@link #USUAL_GROUP}. */
  public int usualGroup() {
    return group.orElse(USUAL_GROUP);
  }

  void addTo(SortedMap<String, String> entries) {
    entries.put("grid.bits", CanonicalText.numberOr(bits, "auto"));
    entries.put("grid.group", CanonicalText.numberOr(group, "auto"));
    entries.put("grid.scales", CanonicalText.wordOr(scales, "auto"));
    entries.put("grid.scale-bits", Integer.toString(scaleBits));
    entries.put("grid.clip", Boolean.toString(clip));
    entries.put("grid.column-scales", Boolean.toString(columnScales));
  }
}

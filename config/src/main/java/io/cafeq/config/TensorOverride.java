package io.cafeq.config;

import java.util.Optional;
import java.util.OptionalInt;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Settings for the tensors whose whole name matches {@code pattern}; what is empty stays as it was.
 *
 * @param pattern a regular expression that compiles
 * @param bits 2 to 8
 * @param group input channels that share a scale, 0 for the whole row
 * @param block channels of a transform, a power of two
 */
public record TensorOverride(
    String pattern,
    OptionalInt bits,
    OptionalInt group,
    OptionalInt block,
    Optional<Side> side,
    Optional<Method> method,
    Optional<ScaleStorage> scales) {

  String canonical() {
    SortedMap<String, String> entries = new TreeMap<>();
    entries.put("pattern", CanonicalText.quoted(pattern));
    bits.ifPresent(value -> entries.put("bits", Integer.toString(value)));
    group.ifPresent(value -> entries.put("group", Integer.toString(value)));
    block.ifPresent(value -> entries.put("block", Integer.toString(value)));
    side.ifPresent(value -> entries.put("side", CanonicalText.quoted(value.text())));
    method.ifPresent(value -> entries.put("method", CanonicalText.quoted(value.text())));
    scales.ifPresent(value -> entries.put("scales", CanonicalText.quoted(value.text())));
    return CanonicalText.object(entries);
  }
}

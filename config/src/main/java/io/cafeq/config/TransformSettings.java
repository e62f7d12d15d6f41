package io.cafeq.config;

import java.util.Optional;
import java.util.OptionalInt;
import java.util.SortedMap;

/**
 * The transforms of stacks; keys of {@code recipe.transform}. An empty optional is {@code auto}.
 *
 * @param block channels that one transform mixes, a power of two
 * @param bits upper limit for stored transforms, in bits per weight
 * @param storage of the inverse transforms
 * @param loss that learning minimizes
 * @param steps of learning
 */
public record TransformSettings(
    OptionalInt block,
    Optional<Side> side,
    double bits,
    Optional<TransformStorage> storage,
    Loss loss,
    int steps) {

  /** The storage as set, else int8. */
  public TransformStorage usualStorage() {
    return storage.orElse(TransformStorage.INT8);
  }

  void addTo(SortedMap<String, String> entries) {
    entries.put("transform.block", CanonicalText.numberOr(block, "auto"));
    entries.put("transform.side", CanonicalText.wordOr(side, "auto"));
    entries.put("transform.bits", Double.toString(bits));
    entries.put("transform.storage", CanonicalText.wordOr(storage, "auto"));
    entries.put("transform.loss", CanonicalText.quoted(loss.text()));
    entries.put("transform.steps", Integer.toString(steps));
  }
}

package io.cafeq.config;

import java.util.List;
import java.util.OptionalInt;
import java.util.SortedMap;

/**
 * Which tensors are quantized, and settings for some of them; keys of {@code recipe.tensors}.
 *
 * @param embeddings bits of the embedding and of the output head; empty keeps their bytes
 * @param include regular expressions, sorted, each once
 * @param exclude regular expressions, sorted, each once
 * @param overrides in the order in which they apply
 */
public record TensorSelection(
    OptionalInt embeddings,
    List<String> include,
    List<String> exclude,
    List<TensorOverride> overrides) {

  public TensorSelection {
    include = include.stream().distinct().sorted().toList();
    exclude = exclude.stream().distinct().sorted().toList();
    overrides = List.copyOf(overrides);
  }

  void addTo(SortedMap<String, String> entries) {
    entries.put("tensors.embeddings", CanonicalText.numberOr(embeddings, "none"));
    entries.put("tensors.include", quoted(include));
    entries.put("tensors.exclude", quoted(exclude));
    entries.put(
        "tensors.overrides",
        CanonicalText.list(overrides.stream().map(TensorOverride::canonical).toList()));
  }

  private static String quoted(List<String> patterns) {
    return CanonicalText.list(patterns.stream().map(CanonicalText::quoted).toList());
  }
}

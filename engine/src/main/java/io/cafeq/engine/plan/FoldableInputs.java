package io.cafeq.engine.plan;

import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.family.FoldedNorms;
import io.cafeq.engine.family.ModelFamily;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * For targets, which have no place for column scales: keeps them where the norm before the matrices
 * takes them, which is so where all that reads the norm is quantized alike.
 */
final class FoldableInputs {
  private FoldableInputs() {}

  /** The tensors that were chosen, without column scales where they cannot be folded. */
  static List<Clusters.Chosen> settled(
      ModelFamily family, Map<String, TensorInfo> tensors, List<Clusters.Chosen> chosen) {
    if (chosen.stream().noneMatch(each -> each.settings().foldsScales())) {
      return chosen;
    }
    Map<String, List<TensorSettings>> byNorm = new HashMap<>();
    FoldedNorms norms = FoldedNorms.of(family, tensors.keySet());
    Map<String, FoldedNorms.Norm> ofReader = norms.byReader();
    for (Clusters.Chosen each : chosen) {
      FoldedNorms.Norm norm = ofReader.get(each.tensor().name());
      if (norm != null) {
        byNorm.computeIfAbsent(norm.name(), first -> new ArrayList<>()).add(each.settings());
      }
    }
    Set<String> foldable = new HashSet<>();
    ofReader
        .values()
        .forEach(
            norm -> {
              List<TensorSettings> settings = byNorm.getOrDefault(norm.name(), List.of());
              if (settings.size() == norm.readers().size()
                  && settings.stream().distinct().count() == 1) {
                foldable.add(norm.name());
              }
            });
    List<Clusters.Chosen> settled = new ArrayList<>();
    for (Clusters.Chosen each : chosen) {
      FoldedNorms.Norm norm = ofReader.get(each.tensor().name());
      boolean folds = norm != null && foldable.contains(norm.name());
      settled.add(
          folds || !each.settings().foldsScales()
              ? each
              : new Clusters.Chosen(
                  each.position(),
                  each.tensor(),
                  each.settings().withoutColumnScales(),
                  each.place()));
    }
    return settled;
  }
}

package io.cafeq.engine.report;

import io.cafeq.engine.plan.Coverage;
import java.util.List;

/**
 * Share of the model that is quantized, as in reports and plans.
 *
 * @param matrixWeights weights of all matrices of the checkpoint
 * @param quantizedWeights those of them that are quantized
 * @param share the part of all matrix weights that is quantized, 0 to 1
 * @param kept the others, the largest first
 */
public record CoverageEntry(
    long matrixWeights, long quantizedWeights, double share, List<Kept> kept) {
  public CoverageEntry {
    Figures.requireFinite("share", share);
    kept = List.copyOf(kept);
  }

  /** Matrix weights that keep their bytes for one reason, and their part of all. */
  public record Kept(String reason, long weights, double share) {
    public Kept {
      Figures.requireFinite("share", share);
    }
  }

  public static CoverageEntry of(Coverage coverage) {
    double all = Math.max(1, coverage.weights());
    return new CoverageEntry(
        coverage.weights(),
        coverage.quantized(),
        coverage.share(),
        coverage.reasons().stream()
            .map(entry -> new Kept(entry.getKey().text(), entry.getValue(), entry.getValue() / all))
            .toList());
  }
}

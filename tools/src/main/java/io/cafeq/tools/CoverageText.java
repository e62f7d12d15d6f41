package io.cafeq.tools;

import io.cafeq.engine.report.CoverageEntry;
import java.util.Locale;
import java.util.stream.Collectors;

/** How much of a model is quantized, on one line. */
final class CoverageText {
  private CoverageText() {}

  /** Such as {@code 85 % of 1.24 B, kept: embeddings and output heads 12 %, outside the repeated layers 3.1 %}. */
  static String of(CoverageEntry coverage) {
    String share = percent(coverage.share()) + " of " + Amounts.count(coverage.matrixWeights());
    return coverage.kept().isEmpty()
        ? share
        : share + ", kept: " + coverage.kept().stream()
            .map(kept -> kept.reason() + " " + percent(kept.share()))
            .collect(Collectors.joining(", "));
  }

  private static String percent(double share) {
    double percent = 100 * share;
    if (percent > 0 && percent < 0.1) {
      return "below 0.1 %";
    }
    // 99.96 % is not all
    double shown = share < 1 ? Math.min(percent, 99.9) : percent;
    return String.format(Locale.ROOT, percent < 10 || percent > 99 && share < 1 ? "%.1f %%" : "%.0f %%", shown);
  }
}

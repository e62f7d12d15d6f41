package io.cafeq.tools;

import io.cafeq.engine.plan.Coverage;
import io.cafeq.engine.report.CoverageEntry;
import java.util.stream.Collectors;

/** Describes on one line how much of a model is quantized. */
final class CoverageText {
  private CoverageText() {}

  /**
   * Such as {@code 85 % of 1.24 B, kept: embeddings and output heads 12 %, outside the repeated
   * layers 3.1 %}.
   */
  static String of(CoverageEntry coverage) {
    String share =
        Coverage.percent(coverage.share()) + " of " + Amounts.count(coverage.matrixWeights());
    return coverage.kept().isEmpty()
        ? share
        : share
            + ", kept: "
            + coverage.kept().stream()
                .map(kept -> kept.reason() + " " + Coverage.percent(kept.share()))
                .collect(Collectors.joining(", "));
  }
}

package io.cafeq.engine.evaluate;

import java.util.Optional;

/**
 * How often a model finds the right choice the likeliest; of equal ones the first counts.
 *
 * @param accuracy by the log-likelihood of the choice after the context
 * @param normalisedAccuracy by that over the choice's length in characters (code points, without
 *     blanks around it), so that short choices are not preferred
 */
public record ChoiceScore(int questions, double accuracy, double normalisedAccuracy) {
  /** Standard error of {@link #accuracy}; empty for a single question. */
  public Optional<Double> standardError() {
    return standardError(accuracy);
  }

  /** Standard error of {@link #normalisedAccuracy}; empty for a single question. */
  public Optional<Double> normalisedStandardError() {
    return standardError(normalisedAccuracy);
  }

  /**
   * Of a mean of zeros and ones: the standard deviation, with questions - 1 degrees of freedom,
   * over the root of their number.
   */
  private Optional<Double> standardError(double share) {
    return questions < 2
        ? Optional.empty()
        : Optional.of(Math.sqrt(share * (1 - share) / (questions - 1)));
  }
}

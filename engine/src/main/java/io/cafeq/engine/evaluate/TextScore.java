package io.cafeq.engine.evaluate;

import io.cafeq.engine.tokens.BeginningToken;
import java.util.Optional;

/**
 * How well a model predicts a text: windows of equal length from its start that do not overlap,
 * without any special token but the {@link BeginningToken}; within each window every token but the
 * first, which may be that one, is predicted from those before it.
 *
 * @param windows that were evaluated
 * @param window tokens of each
 * @param perplexity e to the mean negative log-likelihood over all predicted tokens
 * @param standardError of the perplexity, by the delta method: perplexity times the standard error
 *     of the mean negative log-likelihood, which is the standard deviation between the windows'
 *     means (with windows - 1 degrees of freedom) over the root of the number of windows; empty for
 *     a single window
 */
public record TextScore(
    int windows, int window, double perplexity, Optional<Double> standardError) {
  /** From the mean negative log-likelihood of each window. */
  static TextScore of(int window, double[] means) {
    double mean = mean(means);
    double perplexity = Math.exp(mean);
    double squares = 0;
    for (double each : means) {
      squares += (each - mean) * (each - mean);
    }
    Optional<Double> standardError =
        means.length < 2
            ? Optional.empty()
            : Optional.of(perplexity * Math.sqrt(squares / (means.length - 1) / means.length));
    return new TextScore(means.length, window, perplexity, standardError);
  }

  /** Tokens of all windows. */
  public long tokens() {
    return (long) windows * window;
  }

  /** Tokens that were predicted. */
  public long predicted() {
    return (long) windows * (window - 1);
  }

  private static double mean(double[] values) {
    double sum = 0;
    for (double value : values) {
      sum += value;
    }
    return sum / values.length;
  }
}

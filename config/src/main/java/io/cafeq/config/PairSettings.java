package io.cafeq.config;

import java.util.OptionalDouble;
import java.util.SortedMap;

/**
 * How the two matrices of a pair are transformed and rounded together; keys of {@code
 * recipe.pairs}.
 *
 * @param enabled whether there are pairs at all
 * @param temperature t of LogSumExp
 * @param orthogonality weight of ||M M^T - I||_F / sqrt(h)
 * @param rate of learning; empty is {@code auto}
 * @param iterations of rounding in turns
 * @param reverse whether the transform is undone before saving, its inverses stored and counted
 */
public record PairSettings(
    boolean enabled,
    PairLoss loss,
    double temperature,
    PairOptimizer optimizer,
    double orthogonality,
    int steps,
    OptionalDouble rate,
    PairRounding rounding,
    int iterations,
    boolean reverse) {

  private static final double RATE_OF_EXPECTED_ERROR = 0.1;
  private static final double RATE_OF_OTHERS = 0.003;

  /** The learning rate as set, else that of {@code auto} for heads of {@code head} channels. */
  public double resolvedRate(int head) {
    boolean expectedError = loss == PairLoss.EXPECTED_ERROR && optimizer == PairOptimizer.ADAM;
    return rate.orElseGet(
        () -> expectedError ? RATE_OF_EXPECTED_ERROR / Math.sqrt(head) : RATE_OF_OTHERS);
  }

  /** The same with another rounding. */
  public PairSettings with(PairRounding other) {
    return new PairSettings(
        enabled,
        loss,
        temperature,
        optimizer,
        orthogonality,
        steps,
        rate,
        other,
        iterations,
        reverse);
  }

  void addTo(SortedMap<String, String> entries) {
    entries.put("pairs.enabled", Boolean.toString(enabled));
    entries.put("pairs.loss", CanonicalText.quoted(loss.text()));
    entries.put("pairs.temperature", Double.toString(temperature));
    entries.put("pairs.optimizer", CanonicalText.quoted(optimizer.text()));
    entries.put("pairs.orthogonality", Double.toString(orthogonality));
    entries.put("pairs.steps", Integer.toString(steps));
    entries.put("pairs.rate", CanonicalText.decimalOr(rate, "auto"));
    entries.put("pairs.rounding", CanonicalText.quoted(rounding.text()));
    entries.put("pairs.iterations", Integer.toString(iterations));
    entries.put("pairs.reverse", Boolean.toString(reverse));
  }
}

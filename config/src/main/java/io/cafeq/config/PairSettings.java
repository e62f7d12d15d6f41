package io.cafeq.config;

import java.util.OptionalDouble;
import java.util.SortedMap;

/**
 * How two matrices whose product is all that counts are learned and rounded together: value and
 * output, query and key. {@code reference.conf} says what each key means; there they begin with
 * {@code pair-}.
 *
 * @param enabled the key {@code pairs}: whether there are pairs at all
 * @param temperature t of LogSumExp
 * @param orthogonality weight of ||M M^T - I||_F / sqrt(h)
 * @param rate of learning; empty is {@code auto}
 * @param iterations rounds of rounding in turns
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

  /** Adds key and value of each setting, as they stand in a recipe's canonical form. */
  void addTo(SortedMap<String, String> entries) {
    entries.put("pairs", Boolean.toString(enabled));
    entries.put("pair-loss", CanonicalText.quoted(loss.text()));
    entries.put("pair-temperature", Double.toString(temperature));
    entries.put("pair-optimizer", CanonicalText.quoted(optimizer.text()));
    entries.put("pair-orthogonality", Double.toString(orthogonality));
    entries.put("pair-steps", Integer.toString(steps));
    entries.put("pair-rate", CanonicalText.decimalOr(rate, "auto"));
    entries.put("pair-rounding", CanonicalText.quoted(rounding.text()));
    entries.put("pair-iterations", Integer.toString(iterations));
    entries.put("pair-reverse", Boolean.toString(reverse));
  }
}

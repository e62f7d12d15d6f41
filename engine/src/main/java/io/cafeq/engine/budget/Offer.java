package io.cafeq.engine.budget;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * One way to treat something, with its price.
 *
 * @param bits everything that is stored
 * @param error its share of the minimized sum: weights times squared relative error
 */
public record Offer<T>(T what, long bits, double error) {
  public Offer {
    if (bits < 0 || !(error >= 0) || Double.isInfinite(error)) {
      throw new IllegalArgumentException("bits " + bits + ", error " + error);
    }
  }

  /**
   * Those that no other one beats in both bits and error, by rising bits; of equal ones the first.
   */
  static <T> List<Offer<T>> undominated(List<Offer<T>> offers) {
    List<Offer<T>> kept = new ArrayList<>();
    offers.stream()
        .sorted(Comparator.<Offer<T>>comparingLong(Offer::bits).thenComparingDouble(Offer::error))
        .forEach(
            offer -> {
              if (kept.isEmpty() || offer.error() < kept.getLast().error()) {
                kept.add(offer);
              }
            });
    return kept;
  }
}

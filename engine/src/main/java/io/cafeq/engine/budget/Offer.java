package io.cafeq.engine.budget;

/**
 * One way to treat something, with its price.
 *
 * @param bits everything that is stored
 * @param error what it adds to the sum that is minimised: weights times squared relative error
 */
public record Offer<T>(T what, long bits, double error) {
  public Offer {
    if (bits < 0 || !(error >= 0) || Double.isInfinite(error)) {
      throw new IllegalArgumentException("bits " + bits + ", error " + error);
    }
  }
}

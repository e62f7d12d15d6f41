package io.cafeq.config;

/**
 * Loss of the transform of a pair. The channels' maxima are the largest magnitudes among the mixed
 * entries of one input column or one output row.
 */
public enum PairLoss {
  /** The expected squared error of the product, up to a constant; free of scale. */
  EXPECTED_ERROR("expected-error"),
  /** LogSumExp with temperature t over all channels' maxima. */
  LOG_SUM_EXP("log-sum-exp"),
  /** The mean of the squared maxima of each factor, added. */
  SUM_OF_SQUARES("sum-of-squares"),
  /** The same, each factor's mean times the norm of the other factor. */
  WEIGHTED_SUM_OF_SQUARES("weighted-sum-of-squares");

  private final String text;

  PairLoss(String text) {
    this.text = text;
  }

  /** The name in recipes, options and reports. */
  public String text() {
    return text;
  }

  @Override
  public String toString() {
    return text;
  }
}

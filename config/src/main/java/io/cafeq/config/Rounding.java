package io.cafeq.config;

/** How codes are chosen on a given grid. */
public enum Rounding {
  /** Each entry to its nearest level. */
  NEAREST("nearest"),
  /**
   * GPTQ-style (Babai nearest plane): rows last to first, each corrected for the errors of those
   * already rounded, in the metric of the inverse transform and of the inputs.
   */
  NEAREST_PLANE("nearest-plane"),
  /**
   * Each entry up with a probability equal to its fraction, else down: no bias, twice the squared
   * error.
   */
  STOCHASTIC("stochastic");

  private final String text;

  Rounding(String text) {
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

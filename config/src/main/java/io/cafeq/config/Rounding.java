package io.cafeq.config;

/** How codes are chosen once the grid stands. */
public enum Rounding {
  /** Each entry to its nearest level. */
  NEAREST("nearest"),
  /**
   * Rows last to first, each corrected for the rows already rounded, in the metric of the inverse
   * transform.
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

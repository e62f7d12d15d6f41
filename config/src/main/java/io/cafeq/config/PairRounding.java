package io.cafeq.config;

/** How the two factors of a pair are rounded. */
public enum PairRounding {
  /**
   * Nearest plane of each factor in the metric of the other, on clipped grids, in turns; the best
   * is kept.
   */
  NEAREST_PLANE("nearest-plane"),
  /**
   * In turns each factor becomes the rounded product times the other's pseudo-inverse; the best is
   * kept.
   */
  ALGORITHM_1("algorithm-1"),
  /** Each factor by itself, each entry to its nearest level. */
  NEAREST("nearest");

  private final String text;

  PairRounding(String text) {
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

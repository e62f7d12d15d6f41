package io.cafeq.config;

/** Optimizer of the transform of a pair. */
public enum PairOptimizer {
  /** Adam over all invertible matrices. */
  ADAM("adam"),
  /** Cayley SGD with momentum over rotations. */
  CAYLEY("cayley");

  private final String text;

  PairOptimizer(String text) {
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

package io.cafeq.config;

/** How the half range of a group enters the loss of a learned transform. */
public enum Loss {
  /** A p-norm mean of the magnitudes, p rising from 8 to 128 while it is learned. */
  P_NORM("p-norm"),
  /** Eq. (4) with the true half ranges and their subgradients. */
  HARD("hard");

  private final String text;

  Loss(String text) {
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

package io.cafeq.config;

/** Which channels a block of the transform mixes; W is [out, in], y = W x. */
public enum Side {
  /** k consecutive rows. */
  OUTPUT("output"),
  /** k consecutive columns. */
  INPUT("input");

  private final String text;

  Side(String text) {
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

package io.cafeq.config;

/** How progress is shown. */
public enum ProgressStyle {
  /** One live line. */
  TERMINAL("terminal"),
  /** A line now and then. */
  PLAIN("plain"),
  /** Not at all. */
  OFF("off");

  private final String text;

  ProgressStyle(String text) {
    this.text = text;
  }

  /** The name in recipes and options. */
  public String text() {
    return text;
  }

  @Override
  public String toString() {
    return text;
  }
}

package io.cafeq.engine.checkpoint;

/** A {@link WeightLayout} without its details, as files name it. */
public enum LayoutKind {
  PLAIN("plain"), TRANSPOSED("transposed"), TILED("tiled"), MICRO_SCALED("micro-scaled");

  private final String text;

  LayoutKind(String text) {
    this.text = text;
  }

  /** As files have it. */
  public String text() {
    return text;
  }
}

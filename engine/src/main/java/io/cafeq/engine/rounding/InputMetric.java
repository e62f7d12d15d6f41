package io.cafeq.engine.rounding;

/** How errors in the columns of what is rounded count. */
public final class InputMetric {
  /** All columns count alike. */
  public static final InputMetric NONE = new InputMetric();

  private InputMetric() {}
}

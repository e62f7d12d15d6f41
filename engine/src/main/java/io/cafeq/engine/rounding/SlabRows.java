package io.cafeq.engine.rounding;

/**
 * How many rows make a slab. Depends on shapes alone, so that the same unit gives the same bytes.
 */
public final class SlabRows {
  /** Weights of a slab, about. */
  private static final int WEIGHTS = 1 << 20;

  private SlabRows() {}

  /** Rows of about a million weights, at least one. */
  public static int of(int columns) {
    return Math.max(1, WEIGHTS / columns);
  }
}

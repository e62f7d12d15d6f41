package io.cafeq.engine.grid;

/** The shares of a group's range that the clipping search tries, smallest first. */
public final class Shrinks {
  private Shrinks() {}

  /**
   * [0.5, 1] in 26 points for 4 bits and more, [0.1, 1] in 46 points below; only 1 without
   * clipping.
   */
  public static double[] of(GridSpec grid) {
    return of(grid.bits(), grid.clip());
  }

  static double[] of(int bits, boolean clip) {
    if (!clip) {
      return new double[] {1};
    }
    int count = bits >= 4 ? 26 : 46;
    double first = bits >= 4 ? 0.5 : 0.1;
    double[] shrinks = new double[count];
    for (int i = 0; i < count; i++) {
      shrinks[i] = first + (1 - first) * i / (count - 1);
    }
    return shrinks;
  }
}

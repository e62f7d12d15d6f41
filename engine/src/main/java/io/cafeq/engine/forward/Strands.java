package io.cafeq.engine.forward;

/**
 * Sums in four strands, because one would wait for each addition; in a fixed order, so that the
 * bits are always the same.
 */
public final class Strands {
  private Strands() {}

  public static double sum(double[] values, int count) {
    double first = 0;
    double second = 0;
    double third = 0;
    double fourth = 0;
    int whole = count - count % 4;
    for (int i = 0; i < whole; i += 4) {
      first += values[i];
      second += values[i + 1];
      third += values[i + 2];
      fourth += values[i + 3];
    }
    for (int i = whole; i < count; i++) {
      first += values[i];
    }
    return first + second + (third + fourth);
  }

  /** Of the squares of the entries [start, start + count). */
  public static double squares(float[] values, int start, int count) {
    double first = 0;
    double second = 0;
    double third = 0;
    double fourth = 0;
    int end = start + count;
    int whole = end - count % 4;
    for (int i = start; i < whole; i += 4) {
      first += (double) values[i] * values[i];
      second += (double) values[i + 1] * values[i + 1];
      third += (double) values[i + 2] * values[i + 2];
      fourth += (double) values[i + 3] * values[i + 3];
    }
    for (int i = whole; i < end; i++) {
      first += (double) values[i] * values[i];
    }
    return first + second + (third + fourth);
  }
}

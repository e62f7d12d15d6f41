package io.cafeq.engine.memory;

import java.lang.foreign.ValueLayout;

/**
 * Brings weights of unusual size near 1, exactly, by a power of two: squares of floats, and sums of
 * them, end at about 1e-38 and 1e38. Ordinary weights stay as they are.
 */
public final class Magnitudes {
  private static final float SMALLEST_ORDINARY = 0x1p-20f;
  private static final float LARGEST_ORDINARY = 0x1p20f;

  private Magnitudes() {}

  /** The largest magnitude; 0 for an empty matrix. */
  public static float largest(FloatMatrix matrix) {
    float largest = 0;
    for (long i = 0; i < matrix.elements(); i++) {
      largest = Math.max(largest, Math.abs(matrix.segment().getAtIndex(ValueLayout.JAVA_FLOAT, i)));
    }
    return largest;
  }

  /**
   * The exponent of the power of two to divide by where the largest weight is this; 0 for ordinary
   * weights and for zeros.
   */
  public static int exponent(float largest) {
    boolean ordinary =
        largest == 0 || (largest >= SMALLEST_ORDINARY && largest <= LARGEST_ORDINARY);
    return ordinary || !Float.isFinite(largest) ? 0 : Math.getExponent((double) largest);
  }

  /** Divides weights of unusual size by a power of two, in place, and returns its exponent. */
  public static int normalise(FloatMatrix matrix) {
    int exponent = exponent(largest(matrix));
    multiply(matrix, -exponent);
    return exponent;
  }

  /** Multiplies by 2^exponent in place. */
  public static void multiply(FloatMatrix matrix, int exponent) {
    if (exponent == 0) {
      return;
    }
    for (long i = 0; i < matrix.elements(); i++) {
      float weight = matrix.segment().getAtIndex(ValueLayout.JAVA_FLOAT, i);
      matrix.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, Math.scalb(weight, exponent));
    }
  }
}

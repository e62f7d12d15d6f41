package io.cafeq.engine.grid;

/**
 * The hot loops over rows of lanes. C2 of JDK 25 vectorises a loop over several float arrays only
 * if all of them are read and written at the same index (it cannot rule out that they overlap
 * otherwise), has no float maximum reduction, and gives up on long bodies. So every loop here runs
 * one index over arrays of its own, and each lane is a reduction by itself: sums have a fixed order
 * whatever the vector width.
 */
public final class LaneLoops {
  /**
   * Adding and taking away 1.5 * 2^23 rounds a float of magnitude below 2^22 to an integer, ties to
   * even.
   */
  private static final float ROUNDER = 12582912f;

  private LaneLoops() {}

  /** low = min(low, x), high = max(high, x). */
  public static void range(float[] x, float[] low, float[] high, int lanes) {
    for (int l = 0; l < lanes; l++) {
      low[l] = Math.min(low[l], x[l]);
      high[l] = Math.max(high[l], x[l]);
    }
  }

  /** y += factor * x. */
  public static void addScaled(float[] y, float[] x, float factor, int lanes) {
    for (int l = 0; l < lanes; l++) {
      y[l] += factor * x[l];
    }
  }

  /** sum += x * x. */
  public static void addSquares(float[] x, float[] sum, int lanes) {
    for (int l = 0; l < lanes; l++) {
      sum[l] += x[l] * x[l];
    }
  }

  /** error += (clamp(round(u)) - u)^2 in units of the step, u = x * inverse + zero. */
  static void addCodeErrors(
      float[] x, float[] inverse, float[] zero, float top, float[] error, int lanes) {
    for (int l = 0; l < lanes; l++) {
      float u = x[l] * inverse[l] + zero[l];
      float difference = (Math.max(0f, Math.min(top, u)) + ROUNDER - ROUNDER) - u;
      error[l] += difference * difference;
    }
  }

  /** error += weight * (clamp(round(u)) - u)^2 in units of the step, u = x * inverse + zero. */
  static void addWeightedCodeErrors(
      float[] x,
      float[] inverse,
      float[] zero,
      float[] weight,
      float top,
      float[] error,
      int lanes) {
    for (int l = 0; l < lanes; l++) {
      float u = x[l] * inverse[l] + zero[l];
      float difference = (Math.max(0f, Math.min(top, u)) + ROUNDER - ROUNDER) - u;
      error[l] += weight[l] * difference * difference;
    }
  }

  /** x becomes what nearest rounding adds: (clamp(round(x * inverse + zero)) - zero) * step - x. */
  static void codeDeviations(
      float[] x, float[] inverse, float[] zero, float[] step, float top, int lanes) {
    for (int l = 0; l < lanes; l++) {
      float level = Math.max(0f, Math.min(top, x[l] * inverse[l] + zero[l])) + ROUNDER - ROUNDER;
      x[l] = (level - zero[l]) * step[l] - x[l];
    }
  }

  /** codes = clamp(round(x * inverse + zero)); ties to even. */
  static void codes(float[] x, float[] inverse, float[] zero, float top, byte[] codes, int lanes) {
    for (int l = 0; l < lanes; l++) {
      codes[l] =
          (byte)
              (int) (Math.max(0f, Math.min(top, x[l] * inverse[l] + zero[l])) + ROUNDER - ROUNDER);
    }
  }

  /** levels = clamp(round((x - shift) * inverse + zero)). */
  public static void levels(
      float[] x,
      float[] shift,
      float[] inverse,
      float[] zero,
      float top,
      float[] levels,
      int lanes) {
    for (int l = 0; l < lanes; l++) {
      levels[l] =
          Math.max(0f, Math.min(top, (x[l] - shift[l]) * inverse[l] + zero[l])) + ROUNDER - ROUNDER;
    }
  }

  /** One lane of {@link #levels(float[], float[], float[], float[], float, float[], int)}. */
  public static float level(float x, float shift, float inverse, float zero, float top) {
    return Math.max(0f, Math.min(top, (x - shift) * inverse + zero)) + ROUNDER - ROUNDER;
  }

  /** One lane of {@link #ditheredLevels}. */
  public static float ditheredLevel(float x, float dither, float inverse, float zero, float top) {
    return Math.max(0f, Math.min(top, x * inverse + zero)) + dither + ROUNDER - ROUNDER;
  }

  /** levels = clamp(round(x * inverse + zero)). */
  public static void levels(
      float[] x, float[] inverse, float[] zero, float top, float[] levels, int lanes) {
    for (int l = 0; l < lanes; l++) {
      levels[l] = Math.max(0f, Math.min(top, x[l] * inverse[l] + zero[l])) + ROUNDER - ROUNDER;
    }
  }

  /**
   * levels = round(clamp(x * inverse + zero) + dither); within -1/2 and 1/2 no dither leads beyond
   * the ends.
   */
  public static void ditheredLevels(
      float[] x,
      float[] dither,
      float[] inverse,
      float[] zero,
      float top,
      float[] levels,
      int lanes) {
    for (int l = 0; l < lanes; l++) {
      levels[l] =
          Math.max(0f, Math.min(top, x[l] * inverse[l] + zero[l])) + dither[l] + ROUNDER - ROUNDER;
    }
  }

  /** x becomes what rounding added: (levels - zero) * step - x. */
  public static void toDeviation(float[] x, float[] levels, float[] zero, float[] step, int lanes) {
    for (int l = 0; l < lanes; l++) {
      x[l] = (levels[l] - zero[l]) * step[l] - x[l];
    }
  }

  /** error += weight * (deviation + carried)^2. */
  public static void addErrors(
      float[] deviation, float[] carried, float weight, float[] error, int lanes) {
    for (int l = 0; l < lanes; l++) {
      float difference = deviation[l] + carried[l];
      error[l] += weight * difference * difference;
    }
  }

  /** sum += weight * (x + y)^2. */
  public static void addWeightedSquares(
      float[] x, float[] y, float[] weight, float[] sum, int lanes) {
    for (int l = 0; l < lanes; l++) {
      float total = x[l] + y[l];
      sum[l] += weight[l] * total * total;
    }
  }

  /** Whole numbers of at most 255 as bytes. */
  public static void toBytes(float[] levels, byte[] codes, int lanes) {
    for (int l = 0; l < lanes; l++) {
      codes[l] = (byte) (int) levels[l];
    }
  }

  /** The sum and the difference of two rows, in place. */
  public static void butterfly(float[] a, float[] b, int lanes) {
    for (int l = 0; l < lanes; l++) {
      float x = a[l];
      float y = b[l];
      a[l] = x + y;
      b[l] = x - y;
    }
  }

  /** x *= factor. */
  public static void scale(float[] x, float factor, int lanes) {
    for (int l = 0; l < lanes; l++) {
      x[l] *= factor;
    }
  }
}

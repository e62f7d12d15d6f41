package io.cafeq.engine.compute.nd4j;

/**
 * Powers of magnitudes by squaring, over lanes. The bodies are short on purpose: C2 gives up on
 * vectorising long ones, and a row of lanes stays in the first-level cache between passes.
 *
 * <p>Subnormal numbers cost 30 times the time of others, so a magnitude whose power would fall
 * below 1e-20 is raised to the one whose power is 1e-20: beside the largest power, which is 1, that
 * is nothing.
 */
final class PowerLoops {
  private PowerLoops() {}

  /** The smallest square of a magnitude that takes part in powers of p. */
  static float floor(int p) {
    return (float) StrictMath.pow(10, -40.0 / p);
  }

  /**
   * a = value / top, then value = a^(p-1) with a's sign, and sum += a^p.
   *
   * @param p a power of two from 8 on
   * @param floor {@link #floor} of p
   * @param scaled scratch, likewise {@code square} and {@code power}
   */
  static void powers(
      float[] values,
      float[] inverseTop,
      int p,
      float floor,
      float[] sum,
      float[] scaled,
      float[] square,
      float[] power,
      int lanes) {
    prepare(values, inverseTop, floor, scaled, square, power, lanes);
    // power = a^2; a^(p-2) = a^2 a^4 a^8 ... a^(p/2)
    int exponent = 4;
    for (; 4 * exponent <= p; exponent *= 4) {
      twoSquares(square, power, lanes);
    }
    if (2 * exponent <= p) {
      oneSquare(square, power, lanes);
    }
    finish(values, scaled, power, sum, lanes);
  }

  private static void prepare(
      float[] values,
      float[] inverseTop,
      float floor,
      float[] scaled,
      float[] square,
      float[] power,
      int lanes) {
    for (int l = 0; l < lanes; l++) {
      float a = values[l] * inverseTop[l];
      scaled[l] = a;
      float s = Math.max(a * a, floor);
      square[l] = s;
      power[l] = s;
    }
  }

  private static void twoSquares(float[] square, float[] power, int lanes) {
    for (int l = 0; l < lanes; l++) {
      float s = square[l];
      float once = s * s;
      float twice = once * once;
      square[l] = twice;
      power[l] *= once * twice;
    }
  }

  private static void oneSquare(float[] square, float[] power, int lanes) {
    for (int l = 0; l < lanes; l++) {
      float once = square[l] * square[l];
      square[l] = once;
      power[l] *= once;
    }
  }

  private static void finish(
      float[] values, float[] scaled, float[] power, float[] sum, int lanes) {
    for (int l = 0; l < lanes; l++) {
      float d = power[l] * scaled[l];
      values[l] = d;
      sum[l] += d * scaled[l];
    }
  }

  /** top = largest magnitude, inverse = 1 / top or 0. */
  static void tops(float[] low, float[] high, float[] top, float[] inverse, int lanes) {
    for (int l = 0; l < lanes; l++) {
      top[l] = Math.max(-low[l], high[l]);
    }
    for (int l = 0; l < lanes; l++) {
      inverse[l] = top[l] > 0 ? 1 / top[l] : 0;
    }
  }

  /**
   * From the sum of powers: squared = R^2 with R = top (sum / count)^(1/p), and slope = R^2 / (sum
   * top), so that dR^2/dv is 2 slope a^(p-1).
   */
  static void ranges(
      float[] sum, float[] top, int p, int count, float[] squared, float[] slope, int lanes) {
    float inverseCount = 1f / count;
    for (int l = 0; l < lanes; l++) {
      squared[l] = sum[l] * inverseCount;
    }
    for (int root = p; root > 2; root /= 2) {
      squareRoots(squared, lanes);
    }
    for (int l = 0; l < lanes; l++) {
      float r = squared[l];
      slope[l] = r * top[l] / Math.max(sum[l], 1e-30f);
      squared[l] = r * top[l] * top[l];
    }
  }

  private static void squareRoots(float[] x, int lanes) {
    for (int l = 0; l < lanes; l++) {
      x[l] = (float) Math.sqrt(x[l]);
    }
  }

  /** values *= factor, lane by lane. */
  static void scale(float[] values, float[] factor, int lanes) {
    for (int l = 0; l < lanes; l++) {
      values[l] *= factor[l];
    }
  }
}

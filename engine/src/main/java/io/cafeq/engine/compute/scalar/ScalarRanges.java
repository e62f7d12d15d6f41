package io.cafeq.engine.compute.scalar;

import io.cafeq.config.Side;
import io.cafeq.engine.transform.PairProblem;

/**
 * Ranges of one factor's groups, weighted by channel, with their slopes: group by group, entry by
 * entry.
 */
record ScalarRanges(PairProblem.Factor factor, int p) {
  /**
   * @param values [channel][position]
   * @param weights one number a channel
   * @param slopes where d loss / d values goes
   * @param losses the weighted sums of squared ranges are added, p-norms to the first and true ones
   *     to the second
   * @return for each channel what its weight multiplies
   */
  double[] add(double[][] values, double[] weights, double[][] slopes, double[] losses) {
    double[] shares = new double[values.length];
    int size = factor.groupSize();
    boolean across = factor.side() == Side.INPUT;
    int lines = across ? values[0].length : values.length;
    int length = across ? values.length : values[0].length;
    for (int line = 0; line < lines; line++) {
      for (int first = 0; first < length; first += size) {
        double[] cells = new double[size];
        double weight = across ? 0 : size * weights[line];
        for (int e = 0; e < size; e++) {
          cells[e] = across ? values[first + e][line] : values[line][first + e];
          weight += across ? weights[first + e] : 0;
        }
        double squared = group(cells, weight, losses);
        for (int e = 0; e < size; e++) {
          if (across) {
            slopes[first + e][line] = cells[e];
            shares[first + e] += squared;
          } else {
            slopes[line][first + e] = cells[e];
          }
        }
        if (!across) {
          shares[line] += size * squared;
        }
      }
    }
    return shares;
  }

  /**
   * Replaces the values by weight times dR^2/dv, adds weight R^2 to the losses, and returns R^2.
   */
  private double group(double[] cells, double weight, double[] losses) {
    double low = Double.POSITIVE_INFINITY;
    double high = Double.NEGATIVE_INFINITY;
    for (double cell : cells) {
      low = Math.min(low, cell);
      high = Math.max(high, cell);
    }
    double top = Math.max(Math.max(-low, high), 1e-300);
    double half = factor.symmetric() ? top : (high - low) / 2;
    double mean = 0;
    for (double cell : cells) {
      mean += StrictMath.pow(Math.abs(cell) / top, p);
    }
    mean /= cells.length;
    double r = top * StrictMath.pow(mean, 1.0 / p);
    losses[0] += weight * r * r;
    losses[1] += weight * half * half;
    for (int e = 0; e < cells.length; e++) {
      double a = Math.abs(cells[e]) / top;
      double slope =
          StrictMath.pow(a, p - 1) * Math.signum(cells[e]) * r / (cells.length * mean * top);
      cells[e] = mean > 0 ? 2 * weight * r * slope : 0;
    }
    return r * r;
  }
}

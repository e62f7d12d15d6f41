package io.cafeq.engine.transform;

import io.cafeq.config.PairLoss;

/**
 * The paper's losses of a pair as functions of the peaks at each position and of the factors' norms
 * (appendix A); see {@link PairProblem}.
 *
 * @param temperature t of LogSumExp
 */
public record PeakLoss(PairLoss kind, double temperature) {
  /**
   * @param loss the value
   * @param left slopes in the left factor's peaks, likewise {@code right}
   * @param leftNorm slope in the left factor's norm, likewise {@code rightNorm}; 0 but for the
   *     weighted sum
   */
  public record Slopes(
      double loss, double[] left, double[] right, double leftNorm, double rightNorm) {}

  /** Value and slopes at the given peaks and norms. */
  public Slopes at(double[] left, double[] right, double leftNorm, double rightNorm) {
    return switch (kind) {
      case LOG_SUM_EXP -> logSumExp(left, right);
      case SUM_OF_SQUARES -> squares(left, right, 1, 1, false);
      case WEIGHTED_SUM_OF_SQUARES -> squares(left, right, leftNorm, rightNorm, true);
      case EXPECTED_ERROR ->
          throw new IllegalArgumentException("the expected error is not made of peaks");
    };
  }

  private Slopes logSumExp(double[] left, double[] right) {
    double top = Math.max(largest(left), largest(right));
    double[] leftSlopes = exponentials(left, top);
    double[] rightSlopes = exponentials(right, top);
    double sum = sum(leftSlopes) + sum(rightSlopes);
    scale(leftSlopes, 1 / sum);
    scale(rightSlopes, 1 / sum);
    return new Slopes(top + StrictMath.log(sum) / temperature, leftSlopes, rightSlopes, 0, 0);
  }

  private double[] exponentials(double[] peaks, double top) {
    double[] all = new double[peaks.length];
    for (int i = 0; i < all.length; i++) {
      all[i] = StrictMath.exp(temperature * (peaks[i] - top));
    }
    return all;
  }

  private static Slopes squares(
      double[] left, double[] right, double leftNorm, double rightNorm, boolean weighted) {
    double[] leftSlopes = new double[left.length];
    double[] rightSlopes = new double[right.length];
    double leftMean = mean(left, leftSlopes, rightNorm);
    double rightMean = mean(right, rightSlopes, leftNorm);
    return new Slopes(
        rightNorm * leftMean + leftNorm * rightMean,
        leftSlopes,
        rightSlopes,
        weighted ? rightMean : 0,
        weighted ? leftMean : 0);
  }

  /** The mean square, and the slopes of {@code factor} times it. */
  private static double mean(double[] peaks, double[] slopes, double factor) {
    double sum = 0;
    for (int i = 0; i < peaks.length; i++) {
      sum += peaks[i] * peaks[i];
      slopes[i] = 2 * factor * peaks[i] / peaks.length;
    }
    return sum / peaks.length;
  }

  private static double largest(double[] values) {
    double most = 0;
    for (double value : values) {
      most = Math.max(most, value);
    }
    return most;
  }

  private static double sum(double[] values) {
    double sum = 0;
    for (double value : values) {
      sum += value;
    }
    return sum;
  }

  private static void scale(double[] values, double factor) {
    for (int i = 0; i < values.length; i++) {
      values[i] *= factor;
    }
  }
}

package io.cafeq.engine.transform;

import io.cafeq.config.PairLoss;
import io.cafeq.config.PairOptimizer;
import io.cafeq.config.PairSettings;
import io.cafeq.engine.failure.StopFlag;

/**
 * Learns M of a pair, paper appendix A. Every {@value #CHECK_INTERVAL} steps, and at the end, the M
 * with the smallest true loss so far is kept; ranges are smoothed by p = 8, 16, 32, 64, 128 in five
 * equal stages where the loss has ranges.
 *
 * <ul>
 *   <li>Adam, rate falling linearly to 0 or constant.
 *   <li>Cayley SGD: with momentum Z = beta Z - gradient and W = (Z M^T - M Z^T) / 2, M becomes (I -
 *       a/2 W)^-1 (I + a/2 W) M, a the rate but at most 1 / ||W||_F. M stays a rotation.
 * </ul>
 *
 * <p>A step that cannot be made (a loss or a gradient that is not finite, an M that has no inverse)
 * ends learning with the best so far.
 */
public final class PairLearner {
  static final int CHECK_INTERVAL = 10;

  private static final double SECOND_DECAY = 0.999;
  private static final double TINY = 1e-12;

  private PairLearner() {}

  /**
   * @param rate of the first step
   * @param memory Adam's first decay, or the momentum
   * @param falling whether the rate falls linearly to 0
   */
  public record Schedule(
      PairOptimizer optimizer, int steps, double rate, double memory, boolean falling) {
    private static final double FIRST_DECAY = 0.9;
    private static final double PAPER_MEMORY = 0.1;

    /**
     * For the expected error: Adam(0.9, 0.999) with a falling rate, 0.1/sqrt(h) for heads of h
     * channels.
     */
    public static Schedule falling(int steps, double rate) {
      return new Schedule(PairOptimizer.ADAM, steps, rate, FIRST_DECAY, true);
    }

    /** The paper's: Adam with first decay 0.1, or Cayley SGD with momentum 0.1; a constant rate. */
    public static Schedule paper(PairOptimizer optimizer, int steps, double rate) {
      return new Schedule(optimizer, steps, rate, PAPER_MEMORY, false);
    }

    /** What the settings ask for, for heads of {@code head} channels. */
    public static Schedule of(PairSettings settings, int head) {
      double rate = settings.resolvedRate(head);
      boolean falling =
          settings.loss() == PairLoss.EXPECTED_ERROR && settings.optimizer() == PairOptimizer.ADAM;
      return falling
          ? falling(settings.steps(), rate)
          : paper(settings.optimizer(), settings.steps(), rate);
    }

    private double rate(int step) {
      return falling ? rate * (1 - (double) step / steps) : rate;
    }
  }

  /**
   * @param start where to begin, [h, h], a rotation for Cayley SGD; not changed
   * @return the best M seen, by the true loss, which may be the start
   */
  public static double[] learn(
      PairObjective objective, double[] start, Schedule schedule, StopFlag stop) {
    int h = (int) Math.round(Math.sqrt(start.length));
    double[] m = start.clone();
    double[] best = start.clone();
    double bestLoss = Double.POSITIVE_INFINITY;
    double[] first = new double[m.length];
    double[] second = new double[m.length];
    for (int step = 0; step < schedule.steps(); step++) {
      stop.check();
      PairObjective.Evaluation evaluation = objective.smooth(m, 8 << (5 * step / schedule.steps()));
      if (!Double.isFinite(evaluation.hardLoss())
          || !SquareMatrices.isFinite(evaluation.gradient())) {
        return best;
      }
      if (step % CHECK_INTERVAL == 0 && evaluation.hardLoss() < bestLoss) {
        bestLoss = evaluation.hardLoss();
        best = m.clone();
      }
      switch (schedule.optimizer()) {
        case ADAM -> adam(m, evaluation.gradient(), first, second, schedule, step);
        case CAYLEY -> m = cayley(m, evaluation.gradient(), first, schedule, step, h);
      }
      if (!SquareMatrices.isFinite(m)) {
        return best;
      }
    }
    double last = objective.hard(m);
    return Double.isFinite(last) && last < bestLoss ? m : best;
  }

  private static void adam(
      double[] m, double[] gradient, double[] first, double[] second, Schedule schedule, int step) {
    double decay = schedule.memory();
    double firstScale = 1 / (1 - StrictMath.pow(decay, step + 1));
    double secondScale = 1 / (1 - StrictMath.pow(SECOND_DECAY, step + 1));
    double rate = schedule.rate(step);
    for (int i = 0; i < m.length; i++) {
      double g = gradient[i];
      double f = decay * first[i] + (1 - decay) * g;
      double s = SECOND_DECAY * second[i] + (1 - SECOND_DECAY) * g * g;
      first[i] = f;
      second[i] = s;
      m[i] -= rate * (f * firstScale) / (Math.sqrt(s * secondScale) + TINY);
    }
  }

  private static double[] cayley(
      double[] m, double[] gradient, double[] momentum, Schedule schedule, int step, int h) {
    for (int i = 0; i < m.length; i++) {
      momentum[i] = schedule.memory() * momentum[i] - gradient[i];
    }
    double[] product = SquareMatrices.multiply(momentum, SquareMatrices.transpose(m, h), h);
    double[] turn = new double[m.length];
    double norm = 0;
    for (int i = 0; i < h; i++) {
      for (int j = 0; j < h; j++) {
        turn[i * h + j] = (product[i * h + j] - product[j * h + i]) / 2;
        norm += turn[i * h + j] * turn[i * h + j];
      }
    }
    double length = Math.min(schedule.rate(step), 1 / (Math.sqrt(norm) + TINY));
    // Momentum lives in the tangent space of where it is used.
    System.arraycopy(SquareMatrices.multiply(turn, m, h), 0, momentum, 0, m.length);
    double[] back = new double[m.length];
    double[] forth = new double[m.length];
    for (int i = 0; i < m.length; i++) {
      forth[i] = length / 2 * turn[i];
      back[i] = -forth[i];
    }
    for (int i = 0; i < h; i++) {
      forth[i * h + i] += 1;
      back[i * h + i] += 1;
    }
    return SquareMatrices.multiply(
        SquareMatrices.invert(back, h), SquareMatrices.multiply(forth, m, h), h);
  }
}

package io.cafeq.engine.transform;

import io.cafeq.config.Loss;
import io.cafeq.engine.failure.StopFlag;
import java.util.ArrayList;
import java.util.List;

/**
 * Learns M by Adam(0.9, 0.999), on the smoothed loss with p = 8, 16, 32, 64, 128 in five equal
 * stages, or on the true one: rate {@value #RATE}/sqrt(k) falling linearly to 0, rows of M brought
 * back to length 1 after each step (the loss does not depend on them). Every {@value
 * #CHECK_INTERVAL} steps, and at the end, the blocks with the smallest true loss so far are kept.
 */
public final class BlockLearner {
  static final double RATE = 0.3;
  static final int CHECK_INTERVAL = 10;

  private static final double FIRST_DECAY = 0.9;
  private static final double SECOND_DECAY = 0.999;
  private static final double TINY = 1e-12;

  private BlockLearner() {}

  /**
   * @param starts the blocks to start from; not changed
   * @return the best blocks seen, by the true loss, which may be the starts
   */
  public static List<double[]> learn(
      Objective objective,
      List<Integer> sizes,
      List<double[]> starts,
      Loss loss,
      int steps,
      StopFlag stop) {
    List<double[]> blocks = new ArrayList<>();
    List<double[]> firsts = new ArrayList<>();
    List<double[]> seconds = new ArrayList<>();
    for (double[] start : starts) {
      blocks.add(start.clone());
      firsts.add(new double[start.length]);
      seconds.add(new double[start.length]);
    }
    List<double[]> best = copies(starts);
    double bestLoss = Double.POSITIVE_INFINITY;
    for (int step = 0; step < steps; step++) {
      stop.check();
      Objective.Evaluation evaluation =
          switch (loss) {
            case P_NORM -> objective.smooth(blocks, 8 << (5 * step / steps));
            case HARD -> objective.subgradient(blocks);
          };
      if (step % CHECK_INTERVAL == 0 && evaluation.hardLoss() < bestLoss) {
        bestLoss = evaluation.hardLoss();
        best = copies(blocks);
      }
      for (int b = 0; b < blocks.size(); b++) {
        int k = sizes.get(b);
        double rate = RATE * (1 - (double) step / steps) / Math.sqrt(k);
        double[] gradient = evaluation.gradients().get(b);
        if (!SquareMatrices.isFinite(gradient)) {
          return best;
        }
        adam(blocks.get(b), gradient, firsts.get(b), seconds.get(b), rate, step + 1);
        renormalise(blocks.get(b), k);
      }
    }
    return objective.hard(blocks) < bestLoss ? blocks : best;
  }

  private static void adam(
      double[] m, double[] gradient, double[] first, double[] second, double rate, int time) {
    double firstScale = 1 / (1 - StrictMath.pow(FIRST_DECAY, time));
    double secondScale = 1 / (1 - StrictMath.pow(SECOND_DECAY, time));
    for (int i = 0; i < m.length; i++) {
      double g = gradient[i];
      double f = FIRST_DECAY * first[i] + (1 - FIRST_DECAY) * g;
      double s = SECOND_DECAY * second[i] + (1 - SECOND_DECAY) * g * g;
      first[i] = f;
      second[i] = s;
      m[i] -= rate * (f * firstScale) / (Math.sqrt(s * secondScale) + TINY);
    }
  }

  private static void renormalise(double[] m, int k) {
    for (int row = 0; row < k; row++) {
      double sum = 0;
      for (int i = row * k; i < (row + 1) * k; i++) {
        sum += m[i] * m[i];
      }
      double scale = 1 / Math.sqrt(sum);
      for (int i = row * k; i < (row + 1) * k; i++) {
        m[i] *= scale;
      }
    }
  }

  private static List<double[]> copies(List<double[]> blocks) {
    return blocks.stream().map(double[]::clone).toList();
  }
}

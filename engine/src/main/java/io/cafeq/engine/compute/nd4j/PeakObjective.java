package io.cafeq.engine.compute.nd4j;

import io.cafeq.config.PairLoss;
import io.cafeq.engine.transform.Gram;
import io.cafeq.engine.transform.OrthogonalityPenalty;
import io.cafeq.engine.transform.PairObjective;
import io.cafeq.engine.transform.PairProblem;
import io.cafeq.engine.transform.PeakLoss;
import io.cafeq.engine.transform.SquareMatrices;

/**
 * The paper's losses of a pair, which are made of the largest magnitude over the channels at each
 * position.
 */
final class PeakObjective implements PairObjective {
  private final int h;
  private final PeakLoss loss;
  private final OrthogonalityPenalty penalty;
  private final Peaks left;
  private final Peaks right;
  private final double[] leftGram;
  private final double[] rightGram;

  PeakObjective(PairProblem problem) {
    h = problem.channels();
    loss = new PeakLoss(problem.loss(), problem.temperature());
    penalty = new OrthogonalityPenalty(problem.orthogonality());
    boolean weighted = problem.loss() == PairLoss.WEIGHTED_SUM_OF_SQUARES;
    leftGram = weighted ? gram(problem.left()) : new double[0];
    rightGram = weighted ? gram(problem.right()) : new double[0];
    left = new Peaks(problem.left());
    right = new Peaks(problem.right());
  }

  /** Of the factor divided by its RMS. */
  private static double[] gram(PairProblem.Factor factor) {
    double scale = Normalisation.inverseRms(factor.weights());
    double[] gram = Gram.of(factor.weights(), factor.side());
    for (int i = 0; i < gram.length; i++) {
      gram[i] *= scale * scale;
    }
    return gram;
  }

  @Override
  public Evaluation smooth(double[] m, int p) {
    double[] n = SquareMatrices.transpose(SquareMatrices.invert(m, h), h);
    if (!SquareMatrices.isFinite(n)) {
      return new Evaluation(Double.NaN, Double.NaN, n);
    }
    left.find(m);
    right.find(n);
    Mixed leftNorm = Mixed.of(m, leftGram, h);
    Mixed rightNorm = Mixed.of(n, rightGram, h);
    PeakLoss.Slopes slopes = loss.at(peaks(left), peaks(right), leftNorm.norm, rightNorm.norm);
    double[] gradient = left.gradient(slopes.left());
    leftNorm.addGradient(gradient, slopes.leftNorm());
    double[] back = right.gradient(slopes.right());
    rightNorm.addGradient(back, slopes.rightNorm());
    double[] turned =
        SquareMatrices.multiply(
            SquareMatrices.multiply(n, SquareMatrices.transpose(back, h), h), n, h);
    for (int i = 0; i < gradient.length; i++) {
      gradient[i] -= turned[i];
    }
    penalty.addGradient(m, h, gradient);
    double value = slopes.loss() + penalty.value(m, h);
    return new Evaluation(value, value, gradient);
  }

  /** ||N W||_F, and N W W^T; a norm of 1 that depends on nothing where there is no Gram matrix. */
  private record Mixed(double norm, double[] product) {
    private static Mixed of(double[] n, double[] gram, int h) {
      if (gram.length == 0) {
        return new Mixed(1, gram);
      }
      double[] product = SquareMatrices.multiply(n, gram, h);
      double sum = 0;
      for (int i = 0; i < product.length; i++) {
        sum += product[i] * n[i];
      }
      return new Mixed(Math.sqrt(sum), product);
    }

    private void addGradient(double[] gradient, double slope) {
      for (int i = 0; i < product.length; i++) {
        gradient[i] += slope * product[i] / norm;
      }
    }
  }

  private static double[] peaks(Peaks found) {
    double[] peaks = new double[found.positions()];
    for (int i = 0; i < peaks.length; i++) {
      peaks[i] = found.at(i);
    }
    return peaks;
  }

  @Override
  public double hard(double[] m) {
    double[] n = SquareMatrices.transpose(SquareMatrices.invert(m, h), h);
    if (!SquareMatrices.isFinite(n)) {
      return Double.NaN;
    }
    left.find(m);
    right.find(n);
    double leftNorm = Mixed.of(m, leftGram, h).norm;
    double rightNorm = Mixed.of(n, rightGram, h).norm;
    return loss.at(peaks(left), peaks(right), leftNorm, rightNorm).loss() + penalty.value(m, h);
  }

  @Override
  public void close() {
    left.close();
    right.close();
  }
}

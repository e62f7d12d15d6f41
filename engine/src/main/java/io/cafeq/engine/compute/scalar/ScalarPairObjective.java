package io.cafeq.engine.compute.scalar;

import io.cafeq.config.PairLoss;
import io.cafeq.engine.transform.OrthogonalityPenalty;
import io.cafeq.engine.transform.PairObjective;
import io.cafeq.engine.transform.PairProblem;
import io.cafeq.engine.transform.PeakLoss;
import io.cafeq.engine.transform.SquareMatrices;
import java.util.Arrays;

/**
 * The losses of a pair by the equations. Both factors have channels as rows here, left' = M left
 * and right' = N right with N = M^-T; the loss gives its slopes in all entries of left' and right',
 * D and E, and the gradient in M is D left^T - N (E right^T)^T N.
 */
final class ScalarPairObjective implements PairObjective {
  private final PairProblem problem;
  private final OrthogonalityPenalty penalty;
  private final int h;
  private final ScalarWeights left;
  private final ScalarWeights right;

  ScalarPairObjective(PairProblem problem) {
    this(problem, load(problem, problem.left()), load(problem, problem.right()));
  }

  /** The problem's shape with other weights, taken as they are. */
  ScalarPairObjective(PairProblem problem, ScalarWeights left, ScalarWeights right) {
    this.problem = problem;
    this.penalty = new OrthogonalityPenalty(problem.orthogonality());
    this.h = problem.channels();
    this.left = left;
    this.right = right;
  }

  private static ScalarWeights load(PairProblem problem, PairProblem.Factor factor) {
    MatrixWeights asIs = MatrixWeights.of(factor);
    return problem.loss() == PairLoss.EXPECTED_ERROR ? asIs : asIs.normalised();
  }

  /** Loss, true loss, and slopes in the mixed factors, which take their place. */
  private record Losses(double smooth, double hard) {}

  @Override
  public Evaluation smooth(double[] m, int p) {
    double[] n = SquareMatrices.transpose(SquareMatrices.invert(m, h), h);
    if (!SquareMatrices.isFinite(n)) {
      return new Evaluation(Double.NaN, Double.NaN, n);
    }
    double[][] a = product(m, left);
    double[][] b = product(n, right);
    Losses losses =
        problem.loss() == PairLoss.EXPECTED_ERROR ? expectedError(a, b, p) : peaks(a, b);
    double[] gradient = outer(a, left);
    double[] back = SquareMatrices.transpose(outer(b, right), h);
    double[] turned = SquareMatrices.multiply(SquareMatrices.multiply(n, back, h), n, h);
    for (int i = 0; i < gradient.length; i++) {
      gradient[i] -= turned[i];
    }
    penalty.addGradient(m, h, gradient);
    double rest = penalty.value(m, h);
    return new Evaluation(losses.smooth + rest, losses.hard + rest, gradient);
  }

  @Override
  public double hard(double[] m) {
    return smooth(m, 8).hardLoss();
  }

  private Losses expectedError(double[][] a, double[][] b, int p) {
    double[] leftEnergies = energies(a);
    double[] rightEnergies = energies(b);
    double[][] leftSlopes = new double[h][a[0].length];
    double[][] rightSlopes = new double[h][b[0].length];
    double[] losses = new double[2];
    double[] leftShares =
        new ScalarRanges(problem.left(), p).add(a, rightEnergies, leftSlopes, losses);
    double[] rightShares =
        new ScalarRanges(problem.right(), p).add(b, leftEnergies, rightSlopes, losses);
    for (int j = 0; j < h; j++) {
      for (int i = 0; i < a[j].length; i++) {
        a[j][i] = (leftSlopes[j][i] + 2 * rightShares[j] * a[j][i]) / losses[0];
      }
      for (int i = 0; i < b[j].length; i++) {
        b[j][i] = (rightSlopes[j][i] + 2 * leftShares[j] * b[j][i]) / losses[0];
      }
    }
    return new Losses(Math.log(losses[0]), Math.log(losses[1]));
  }

  private Losses peaks(double[][] a, double[][] b) {
    int[] leftAt = peaks(a);
    int[] rightAt = peaks(b);
    double leftNorm = Math.sqrt(Arrays.stream(energies(a)).sum());
    double rightNorm = Math.sqrt(Arrays.stream(energies(b)).sum());
    PeakLoss.Slopes slopes =
        new PeakLoss(problem.loss(), problem.temperature())
            .at(magnitudes(a, leftAt), magnitudes(b, rightAt), leftNorm, rightNorm);
    replace(a, leftAt, slopes.left(), slopes.leftNorm() / leftNorm);
    replace(b, rightAt, slopes.right(), slopes.rightNorm() / rightNorm);
    return new Losses(slopes.loss(), slopes.loss());
  }

  /** The channel of the largest magnitude at each position. */
  private static int[] peaks(double[][] values) {
    int[] at = new int[values[0].length];
    for (int i = 0; i < at.length; i++) {
      for (int c = 1; c < values.length; c++) {
        at[i] = Math.abs(values[c][i]) > Math.abs(values[at[i]][i]) ? c : at[i];
      }
    }
    return at;
  }

  private static double[] magnitudes(double[][] values, int[] at) {
    double[] magnitudes = new double[at.length];
    for (int i = 0; i < at.length; i++) {
      magnitudes[i] = Math.abs(values[at[i]][i]);
    }
    return magnitudes;
  }

  /**
   * Values become their slopes: those of the norm everywhere, those of the peaks where they are.
   */
  private static void replace(double[][] values, int[] at, double[] slopes, double ofNorm) {
    for (int i = 0; i < at.length; i++) {
      double sign = Math.signum(values[at[i]][i]);
      for (double[] row : values) {
        row[i] *= ofNorm;
      }
      values[at[i]][i] += sign * slopes[i];
    }
  }

  private static double[] energies(double[][] channels) {
    return Arrays.stream(channels).mapToDouble(MatrixWeights::energy).toArray();
  }

  private static double[][] product(double[] m, ScalarWeights w) {
    int h = w.channels();
    double[][] v = new double[h][w.positions()];
    double[] row = new double[w.positions()];
    for (int i = 0; i < h; i++) {
      w.channel(i, row);
      for (int j = 0; j < h; j++) {
        double factor = m[j * h + i];
        for (int c = 0; c < row.length; c++) {
          v[j][c] += factor * row[c];
        }
      }
    }
    return v;
  }

  /** a W^T. */
  private static double[] outer(double[][] a, ScalarWeights w) {
    int h = a.length;
    double[] product = new double[h * h];
    double[] row = new double[w.positions()];
    for (int i = 0; i < h; i++) {
      w.channel(i, row);
      for (int j = 0; j < h; j++) {
        double sum = 0;
        for (int c = 0; c < row.length; c++) {
          sum += a[j][c] * row[c];
        }
        product[j * h + i] = sum;
      }
    }
    return product;
  }

  @Override
  public void close() {}
}

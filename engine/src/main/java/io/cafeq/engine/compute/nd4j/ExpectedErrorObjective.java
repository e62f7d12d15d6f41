package io.cafeq.engine.compute.nd4j;

import io.cafeq.engine.transform.Gram;
import io.cafeq.engine.transform.LearnProblem;
import io.cafeq.engine.transform.OrthogonalityPenalty;
import io.cafeq.engine.transform.PairObjective;
import io.cafeq.engine.transform.PairProblem;
import io.cafeq.engine.transform.SquareMatrices;
import java.util.List;

/**
 * The expected error of a pair. With N = M^-T both factors are mixed alike, left' = M left and
 * right' = N right (channels as rows), so a step is one pass over each: four products. Norms of
 * channels come from the factors' Gram matrices, which are made once.
 */
final class ExpectedErrorObjective implements PairObjective {
  private final int h;
  private final Half left;
  private final Half right;
  private final OrthogonalityPenalty penalty;

  ExpectedErrorObjective(PairProblem problem) {
    h = problem.channels();
    penalty = new OrthogonalityPenalty(problem.orthogonality());
    left = new Half(problem.left());
    right = new Half(problem.right());
  }

  /** One factor, divided by its RMS: its ranges and its Gram matrix. */
  private static final class Half {
    private final int h;
    private final double[] gram;
    private final WeightedRanges ranges;
    private final double rangeWeight;
    private final double logScale;

    private Half(PairProblem.Factor factor) {
      h = factor.channels();
      rangeWeight = factor.rangeWeight();
      double inverse = Normalisation.inverseRms(factor.weights());
      logScale = -2 * Math.log(inverse);
      gram = Gram.of(factor.weights(), factor.side());
      for (int i = 0; i < gram.length; i++) {
        gram[i] *= inverse * inverse;
      }
      ranges = ranges(factor);
    }

    private static WeightedRanges ranges(PairProblem.Factor factor) {
      return switch (factor.side()) {
        case OUTPUT ->
            new RowRanges(
                new LearnProblem.Rows(
                    factor.weights(), factor.group(), factor.symmetric(), false, false));
        case INPUT ->
            new StripeRanges(
                new LearnProblem.Stripe(
                    factor.weights(),
                    List.of(factor.channels()),
                    factor.groupSize(),
                    factor.symmetric()));
      };
    }

    /**
     * Squared norms of the mixed channels: the diagonal of N gram N^T; also leaves N gram in {@code
     * product}.
     */
    private double[] energies(double[] n, double[] product) {
      System.arraycopy(SquareMatrices.multiply(n, gram, h), 0, product, 0, h * h);
      double[] energies = new double[h];
      for (int j = 0; j < h; j++) {
        for (int i = 0; i < h; i++) {
          energies[j] += product[j * h + i] * n[j * h + i];
        }
      }
      return energies;
    }

    private double[] weights(double[] otherEnergies) {
      double[] weights = new double[h];
      for (int j = 0; j < h; j++) {
        weights[j] = rangeWeight * otherEnergies[j];
      }
      return weights;
    }

    /**
     * Gradient in this factor's mixing matrix: of its ranges, and of its norms that multiply the
     * other's ranges.
     */
    private double[] gradient(
        WeightedRanges.Shares own, double[] product, WeightedRanges.Shares other, double weight) {
      double[] gradient = own.products().getFirst();
      for (int j = 0; j < h; j++) {
        double factor = 2 * weight * other.shares()[j];
        for (int i = j * h; i < (j + 1) * h; i++) {
          gradient[i] += factor * product[i];
        }
      }
      return gradient;
    }
  }

  @Override
  public Evaluation smooth(double[] m, int p) {
    double[] n = SquareMatrices.transpose(SquareMatrices.invert(m, h), h);
    if (!SquareMatrices.isFinite(n)) {
      return new Evaluation(Double.NaN, Double.NaN, n);
    }
    double[] leftProduct = new double[h * h];
    double[] rightProduct = new double[h * h];
    double[] leftEnergies = left.energies(m, leftProduct);
    double[] rightEnergies = right.energies(n, rightProduct);
    WeightedRanges.Shares leftShares =
        left.ranges.evaluate(List.of(m), left.weights(rightEnergies), p);
    WeightedRanges.Shares rightShares =
        right.ranges.evaluate(List.of(n), right.weights(leftEnergies), p);
    double loss = leftShares.loss() + rightShares.loss();
    double[] gradient = left.gradient(leftShares, leftProduct, rightShares, right.rangeWeight);
    double[] back = right.gradient(rightShares, rightProduct, leftShares, left.rangeWeight);
    // d N = -N dM^T N, so what N owes to the loss comes back to M as -N (dL/dN)^T N.
    double[] turned =
        SquareMatrices.multiply(
            SquareMatrices.multiply(n, SquareMatrices.transpose(back, h), h), n, h);
    for (int i = 0; i < gradient.length; i++) {
      gradient[i] = (gradient[i] - turned[i]) / loss;
    }
    penalty.addGradient(m, h, gradient);
    double rest = left.logScale + right.logScale + penalty.value(m, h);
    double hardLoss = leftShares.hardLoss() + rightShares.hardLoss();
    return new Evaluation(Math.log(loss) + rest, Math.log(hardLoss) + rest, gradient);
  }

  @Override
  public double hard(double[] m) {
    double[] n = SquareMatrices.transpose(SquareMatrices.invert(m, h), h);
    if (!SquareMatrices.isFinite(n)) {
      return Double.NaN;
    }
    double[] scratch = new double[h * h];
    double[] leftWeights = left.weights(right.energies(n, scratch));
    double[] rightWeights = right.weights(left.energies(m, scratch));
    double[] leftShares = left.ranges.hardShares(List.of(m));
    double[] rightShares = right.ranges.hardShares(List.of(n));
    double loss = 0;
    for (int j = 0; j < h; j++) {
      loss += leftWeights[j] * leftShares[j] + rightWeights[j] * rightShares[j];
    }
    return Math.log(loss) + left.logScale + right.logScale + penalty.value(m, h);
  }

  @Override
  public void close() {
    left.ranges.close();
    right.ranges.close();
  }
}

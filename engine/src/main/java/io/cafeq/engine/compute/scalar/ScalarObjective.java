package io.cafeq.engine.compute.scalar;

import io.cafeq.engine.transform.ChannelMetric;
import io.cafeq.engine.transform.LearnProblem;
import io.cafeq.engine.transform.Objective;
import io.cafeq.engine.transform.SquareMatrices;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;

/**
 * The loss and its gradient by the equations. Every group of V is a list of cells (channel,
 * position) with one range R; the loss is the sum over groups of R^2 times the group's weight times
 * the squared column norms of P of the group's channels, in the problem's metric H.
 *
 * <p>Gradient of the first factor: with S the norms, dL/dV = 2 S R dR/dV, and dL/dM = dL/dV W^T.
 * Gradient of the second: -2 P^T H P diag(f) P^T, f_j the sum of R^2 over the groups that channel j
 * takes part in.
 */
final class ScalarObjective implements Objective {
  private final LearnProblem problem;
  private final List<double[][]> weights;

  ScalarObjective(LearnProblem problem) {
    this(problem, ScalarBlocks.of(problem));
  }

  /** The problem's shape with other weights, W_b as [k, n] for each block, taken as they are. */
  ScalarObjective(LearnProblem problem, List<double[][]> weights) {
    this.problem = problem;
    this.weights = weights;
  }

  @Override
  public Evaluation smooth(List<double[]> blocks, int p) {
    return evaluate(blocks, OptionalInt.of(p), new ArrayList<>(), new ArrayList<>());
  }

  @Override
  public Evaluation subgradient(List<double[]> blocks) {
    return evaluate(blocks, OptionalInt.empty(), new ArrayList<>(), new ArrayList<>());
  }

  @Override
  public ChannelMetric metric() {
    return problem.metric();
  }

  @Override
  public double[] hardShares(List<double[]> blocks) {
    double[] all =
        new double
            [blocks.stream().mapToInt(block -> (int) Math.round(Math.sqrt(block.length))).sum()];
    List<double[]> shares = new ArrayList<>();
    evaluate(blocks, OptionalInt.empty(), new ArrayList<>(), shares);
    int channel = 0;
    for (double[] share : shares) {
      System.arraycopy(share, 0, all, channel, share.length);
      channel += share.length;
    }
    return all;
  }

  /**
   * Also gives, for each block, what each channel takes part in: the sums of squared ranges, as
   * asked for and true.
   *
   * @param p of the p-norm mean; empty for true ranges
   */
  private Evaluation evaluate(
      List<double[]> ms, OptionalInt p, List<double[]> shares, List<double[]> hardShares) {
    int blockCount = ms.size();
    List<double[]> inverses = new ArrayList<>();
    List<double[][]> values = new ArrayList<>();
    List<double[]> energies = new ArrayList<>();
    for (int b = 0; b < blockCount; b++) {
      int k = problem.blocks().get(b);
      double[] inverse = SquareMatrices.invert(ms.get(b), k);
      inverses.add(inverse);
      energies.add(problem.metric().energies(b, inverse, k));
      values.add(product(ms.get(b), weights.get(b), k));
      shares.add(new double[k]);
      hardShares.add(new double[k]);
    }
    double[] losses = new double[2];
    switch (problem) {
      case LearnProblem.Rows rows -> {
        for (int j = 0; j < rows.k(); j++) {
          double[] row = values.getFirst()[j];
          for (int first = 0; first < rows.n(); first += rows.groupSize()) {
            double[] cells = Arrays.copyOfRange(row, first, first + rows.groupSize());
            double weight = rows.groupWeight(first / rows.groupSize());
            double[] squares = group(cells, p, energies.getFirst()[j] * weight, losses);
            shares.getFirst()[j] += weight * squares[0];
            hardShares.getFirst()[j] += weight * squares[1];
            System.arraycopy(cells, 0, row, first, cells.length);
          }
        }
      }
      case LearnProblem.Stripe stripe -> {
        for (int first = 0; first < stripe.weights().columns(); first += stripe.group()) {
          stripeGroup(first, stripe, p, values, energies, shares, hardShares, losses);
        }
      }
    }
    List<double[]> gradients = new ArrayList<>();
    for (int b = 0; b < blockCount; b++) {
      int k = problem.blocks().get(b);
      double[] gradient = problem.metric().gradient(b, inverses.get(b), shares.get(b), k);
      addProduct(gradient, values.get(b), weights.get(b), k);
      gradients.add(gradient);
    }
    return new Evaluation(losses[0], losses[1], gradients);
  }

  private void stripeGroup(
      int first,
      LearnProblem.Stripe stripe,
      OptionalInt p,
      List<double[][]> values,
      List<double[]> energies,
      List<double[]> shares,
      List<double[]> hardShares,
      double[] losses) {
    int size = stripe.group();
    double norms = 0;
    for (int e = 0; e < size; e++) {
      int[] at = locate(first + e);
      norms += energies.get(at[0])[at[1]];
    }
    for (int position = 0; position < stripe.weights().rows(); position++) {
      double[] cells = new double[size];
      for (int e = 0; e < size; e++) {
        int[] at = locate(first + e);
        cells[e] = values.get(at[0])[at[1]][position];
      }
      double[] squares = group(cells, p, norms, losses);
      for (int e = 0; e < size; e++) {
        int[] at = locate(first + e);
        values.get(at[0])[at[1]][position] = cells[e];
        shares.get(at[0])[at[1]] += squares[0];
        hardShares.get(at[0])[at[1]] += squares[1];
      }
    }
  }

  /**
   * Adds one group to the losses (asked for, true), replaces its values by dL/dV, and returns R^2
   * likewise.
   */
  private double[] group(double[] cells, OptionalInt p, double norms, double[] losses) {
    double low = Double.POSITIVE_INFINITY;
    double high = Double.NEGATIVE_INFINITY;
    for (double cell : cells) {
      low = Math.min(low, cell);
      high = Math.max(high, cell);
    }
    double top = Math.max(Math.max(-low, high), 1e-300);
    double half = problem.symmetric() ? top : (high - low) / 2;
    losses[1] += norms * half * half;
    double squared =
        p.isPresent()
            ? smoothSlopes(cells, top, p.getAsInt(), norms)
            : trueSlopes(cells, low, high, norms);
    losses[0] += norms * squared;
    return new double[] {squared, half * half};
  }

  private static double smoothSlopes(double[] cells, double top, int p, double norms) {
    double mean = 0;
    for (double cell : cells) {
      mean += StrictMath.pow(Math.abs(cell) / top, p);
    }
    mean /= cells.length;
    double r = top * StrictMath.pow(mean, 1.0 / p);
    for (int e = 0; e < cells.length; e++) {
      double a = cells[e] / top;
      double slope =
          StrictMath.pow(Math.abs(a), p - 1) * Math.signum(a) * r / (cells.length * mean * top);
      cells[e] = mean > 0 ? 2 * norms * r * slope : 0;
    }
    return r * r;
  }

  /** The first of the largest entries, and of the smallest, moves the range. */
  private double trueSlopes(double[] cells, double low, double high, double norms) {
    int lowest = 0;
    int highest = 0;
    for (int e = cells.length - 1; e >= 0; e--) {
      lowest = cells[e] == low ? e : lowest;
      highest = cells[e] == high ? e : highest;
    }
    Arrays.fill(cells, 0);
    if (problem.symmetric()) {
      boolean atHigh = high >= -low;
      cells[atHigh ? highest : lowest] = 2 * norms * (atHigh ? high : low);
      return atHigh ? high * high : low * low;
    }
    double half = (high - low) / 2;
    cells[highest] += norms * half;
    cells[lowest] -= norms * half;
    return half * half;
  }

  /** Block and row of a virtual column. */
  private int[] locate(int column) {
    int block = 0;
    int row = column;
    while (row >= problem.blocks().get(block)) {
      row -= problem.blocks().get(block++);
    }
    return new int[] {block, row};
  }

  private static double[][] product(double[] m, double[][] w, int k) {
    int n = w[0].length;
    double[][] v = new double[k][n];
    for (int j = 0; j < k; j++) {
      for (int i = 0; i < k; i++) {
        for (int c = 0; c < n; c++) {
          v[j][c] += m[j * k + i] * w[i][c];
        }
      }
    }
    return v;
  }

  /** Adds d w^T. */
  private static void addProduct(double[] gradient, double[][] d, double[][] w, int k) {
    for (int j = 0; j < k; j++) {
      for (int i = 0; i < k; i++) {
        double sum = 0;
        for (int c = 0; c < w[i].length; c++) {
          sum += d[j][c] * w[i][c];
        }
        gradient[j * k + i] += sum;
      }
    }
  }

  @Override
  public void close() {}
}

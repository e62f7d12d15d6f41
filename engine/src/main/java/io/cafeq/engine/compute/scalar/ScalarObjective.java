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
  private final ScalarWeights weights;

  ScalarObjective(LearnProblem problem) {
    this(problem, MatrixWeights.of(problem));
  }

  /** The problem's shape with other weights, those of all blocks, taken as they are. */
  ScalarObjective(LearnProblem problem, ScalarWeights weights) {
    this.problem = problem;
    this.weights = weights;
  }

  @Override
  public Evaluation smooth(List<double[]> blocks, int p) {
    return new Pass(blocks, OptionalInt.of(p)).evaluation();
  }

  @Override
  public Evaluation subgradient(List<double[]> blocks) {
    return new Pass(blocks, OptionalInt.empty()).evaluation();
  }

  @Override
  public ChannelMetric metric() {
    return problem.metric();
  }

  @Override
  public double[] hardShares(List<double[]> blocks) {
    return new Pass(blocks, OptionalInt.empty()).hardShares;
  }

  /**
   * One pass over W at some blocks. V is never held: a row, or a group of a position, at a time.
   */
  private final class Pass {
    private final List<double[]> ms;
    private final List<Integer> sizes = problem.blocks();
    private final OptionalInt p;
    private final List<double[]> inverses = new ArrayList<>();

    /** D W^T of each block. */
    private final List<double[]> products = new ArrayList<>();

    /** By channel of all blocks, like the next two: squared column norms of P. */
    private final double[] energies = new double[weights.channels()];

    /** Sums of squared ranges as asked for. */
    private final double[] shares = new double[weights.channels()];

    /** Sums of squared true ranges. */
    private final double[] hardShares = new double[weights.channels()];

    /** As asked for, and true. */
    private final double[] losses = new double[2];

    /**
     * @param p of the p-norm mean; empty for true ranges
     */
    private Pass(List<double[]> ms, OptionalInt p) {
      this.ms = ms;
      this.p = p;
      int channel = 0;
      for (int b = 0; b < ms.size(); b++) {
        int k = sizes.get(b);
        double[] inverse = SquareMatrices.invert(ms.get(b), k);
        inverses.add(inverse);
        products.add(new double[k * k]);
        System.arraycopy(problem.metric().energies(b, inverse, k), 0, energies, channel, k);
        channel += k;
      }
      switch (problem) {
        case LearnProblem.Rows rows -> rows(rows);
        case LearnProblem.Stripe stripe -> stripe(stripe.group());
      }
    }

    private void rows(LearnProblem.Rows rows) {
      for (int j = 0; j < rows.k(); j++) {
        double[] row = values(j);
        for (int first = 0; first < rows.n(); first += rows.groupSize()) {
          double[] cells = Arrays.copyOfRange(row, first, first + rows.groupSize());
          double weight = rows.groupWeight(first / rows.groupSize());
          double[] squares = group(cells, p, energies[j] * weight, losses);
          shares[j] += weight * squares[0];
          hardShares[j] += weight * squares[1];
          System.arraycopy(cells, 0, row, first, cells.length);
        }
        addProducts(j, row);
      }
    }

    /** Row j of V = M W, of the only block. */
    private double[] values(int j) {
      double[] m = ms.getFirst();
      int k = weights.channels();
      double[] row = new double[weights.positions()];
      if (weights.byPosition()) {
        double[] column = new double[k];
        for (int c = 0; c < row.length; c++) {
          weights.position(c, column);
          row[c] = dot(m, j * k, column, 0, k);
        }
      } else {
        double[] w = new double[row.length];
        for (int i = 0; i < k; i++) {
          weights.channel(i, w);
          double factor = m[j * k + i];
          for (int c = 0; c < row.length; c++) {
            row[c] += factor * w[c];
          }
        }
      }
      return row;
    }

    /** Row j of D W^T, of the only block. */
    private void addProducts(int j, double[] d) {
      double[] product = products.getFirst();
      int k = weights.channels();
      if (weights.byPosition()) {
        double[] column = new double[k];
        for (int c = 0; c < d.length; c++) {
          weights.position(c, column);
          addScaled(product, j * k, d[c], column, 0, k);
        }
      } else {
        double[] w = new double[d.length];
        for (int i = 0; i < k; i++) {
          weights.channel(i, w);
          product[j * k + i] = dot(d, 0, w, 0, d.length);
        }
      }
    }

    private void stripe(int size) {
      double[] column = new double[weights.channels()];
      double[] cells = new double[size];
      for (int first = 0; first < weights.channels(); first += size) {
        double norms = 0;
        int[] blocks = new int[size];
        int[] starts = new int[size];
        for (int e = 0; e < size; e++) {
          norms += energies[first + e];
          while (first + e >= starts[e] + sizes.get(blocks[e])) {
            starts[e] += sizes.get(blocks[e]++);
          }
        }
        for (int position = 0; position < weights.positions(); position++) {
          weights.position(position, column);
          for (int e = 0; e < size; e++) {
            int k = sizes.get(blocks[e]);
            int row = first + e - starts[e];
            cells[e] = dot(ms.get(blocks[e]), row * k, column, starts[e], k);
          }
          double[] squares = group(cells, p, norms, losses);
          for (int e = 0; e < size; e++) {
            int k = sizes.get(blocks[e]);
            int row = first + e - starts[e];
            addScaled(products.get(blocks[e]), row * k, cells[e], column, starts[e], k);
            shares[first + e] += squares[0];
            hardShares[first + e] += squares[1];
          }
        }
      }
    }

    private Evaluation evaluation() {
      List<double[]> gradients = new ArrayList<>();
      int channel = 0;
      for (int b = 0; b < ms.size(); b++) {
        int k = sizes.get(b);
        double[] own = Arrays.copyOfRange(shares, channel, channel + k);
        double[] gradient = problem.metric().gradient(b, inverses.get(b), own, k);
        for (int i = 0; i < gradient.length; i++) {
          gradient[i] += products.get(b)[i];
        }
        gradients.add(gradient);
        channel += k;
      }
      return new Evaluation(losses[0], losses[1], gradients);
    }
  }

  private static double dot(double[] a, int aFirst, double[] b, int bFirst, int count) {
    double sum = 0;
    for (int i = 0; i < count; i++) {
      sum += a[aFirst + i] * b[bFirst + i];
    }
    return sum;
  }

  private static void addScaled(
      double[] to, int toFirst, double factor, double[] from, int fromFirst, int count) {
    for (int i = 0; i < count; i++) {
      to[toFirst + i] += factor * from[fromFirst + i];
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

  @Override
  public void close() {}
}

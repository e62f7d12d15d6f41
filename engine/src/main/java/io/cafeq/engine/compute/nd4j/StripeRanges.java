package io.cafeq.engine.compute.nd4j;

import io.cafeq.config.Side;
import io.cafeq.engine.grid.LaneLoops;
import io.cafeq.engine.transform.LearnProblem;
import java.util.List;

/**
 * Ranges across channels: lanes are positions, and a group is some rows of the stacked V_b, reduced
 * lane by lane while the tile of lanes is in the cache.
 */
final class StripeRanges implements WeightedRanges {
  private final LearnProblem.Stripe problem;
  private final int channels;
  private final StripeTiles tiles;
  private final float[][] rows;
  private final LaneRanges ranges;

  StripeRanges(LearnProblem.Stripe problem) {
    this.problem = problem;
    channels = problem.weights().columns();
    tiles = new StripeTiles(problem.weights(), Side.INPUT, problem.blocks());
    rows = tiles.rows();
    ranges = new LaneRanges(tiles.lanes());
  }

  @Override
  public Shares evaluate(List<double[]> ms, double[] weights, int p) {
    return evaluate(ms, weights, (group, norm) -> slopes(group, p, norm));
  }

  @Override
  public Shares subgradient(List<double[]> ms, double[] weights) {
    RangeEnds ends = new RangeEnds(tiles.lanes());
    return evaluate(ms, weights, (group, norm) -> ends(ends, group, norm));
  }

  /** Replaces a group's rows by d loss / d V; returns the sum over lanes of R^2. */
  private interface Slopes {
    double replace(int group, double norm);
  }

  private Shares evaluate(List<double[]> ms, double[] weights, Slopes slopes) {
    tiles.use(ms);
    int groups = channels / problem.group();
    double[] sums = new double[groups];
    double[] hardSums = new double[groups];
    double[] norms = new double[groups];
    for (int c = 0; c < channels; c++) {
      norms[c / problem.group()] += weights[c];
    }
    for (int tile = 0; tile < tiles.count(); tile++) {
      tiles.forward(tile);
      for (int g = 0; g < groups; g++) {
        hardSums[g] += ranges(g);
        sums[g] += slopes.replace(g, norms[g]);
      }
      tiles.backward(tile);
    }
    double loss = 0;
    double hardLoss = 0;
    for (int g = 0; g < groups; g++) {
      loss += norms[g] * sums[g];
      hardLoss += norms[g] * hardSums[g];
    }
    double[] shares = new double[channels];
    for (int c = 0; c < channels; c++) {
      shares[c] = sums[c / problem.group()];
    }
    return new Shares(loss, hardLoss, shares, tiles.products());
  }

  @Override
  public double[] hardShares(List<double[]> ms) {
    tiles.use(ms);
    double[] shares = new double[channels];
    for (int tile = 0; tile < tiles.count(); tile++) {
      tiles.forward(tile);
      for (int first = 0; first < channels; first += problem.group()) {
        double total = ranges(first / problem.group());
        for (int c = first; c < first + problem.group(); c++) {
          shares[c] += total;
        }
      }
    }
    return shares;
  }

  /** Ranges of one group in each lane; returns the sum of the squares of the true ones. */
  private double ranges(int group) {
    ranges.include(rows, group * problem.group(), (group + 1) * problem.group());
    double total = 0;
    for (int l = 0; l < tiles.lanes(); l++) {
      double half = ranges.half(l, problem.symmetric());
      total += half * half;
    }
    return total;
  }

  private double slopes(int group, int p, double norm) {
    int first = group * problem.group();
    int end = first + problem.group();
    ranges.raise(rows, first, end, p);
    ranges.finish(p, problem.group());
    LaneLoops.scale(ranges.slope, (float) (2 * norm), tiles.lanes());
    ranges.slope(rows, first, end);
    double total = 0;
    for (float r : ranges.squared) {
      total += r;
    }
    return total;
  }

  /** For true ranges, which {@link #ranges(int)} has just found. */
  private double ends(RangeEnds ends, int group, double norm) {
    double total = 0;
    for (int l = 0; l < tiles.lanes(); l++) {
      total += ends.expect(l, ranges.low(l), ranges.high(l), norm, problem.symmetric());
    }
    ends.replace(rows, group * problem.group(), (group + 1) * problem.group(), tiles.lanes());
    return total;
  }

  @Override
  public void close() {
    tiles.close();
  }
}

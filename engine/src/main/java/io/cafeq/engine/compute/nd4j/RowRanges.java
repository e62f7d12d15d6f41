package io.cafeq.engine.compute.nd4j;

import io.cafeq.engine.transform.LearnProblem;
import java.util.Arrays;
import java.util.List;

/**
 * Ranges along rows, lane by lane on {@link RowTiles}: each row of V has a grid for every group of
 * columns.
 */
final class RowRanges implements WeightedRanges {
  private final LearnProblem.Rows problem;
  private final int k;
  private final int size;
  private final int entries;
  private final int lanes;
  private final RowTiles tiles;
  private final NativeMatrix values;
  private final NativeMatrix block;
  private final NativeMatrix gradient;
  private final float[][] rows;
  private final LaneRanges ranges;
  private final float[] products;

  RowRanges(LearnProblem.Rows problem) {
    this.problem = problem;
    k = problem.k();
    size = problem.groupSize();
    tiles = new RowTiles(problem);
    entries = tiles.entries();
    lanes = tiles.lanes();
    values = new NativeMatrix(tiles.columns(), k);
    block = new NativeMatrix(k, k);
    gradient = new NativeMatrix(k, k);
    rows = new float[entries][lanes];
    ranges = new LaneRanges(lanes);
    products = new float[k * k];
  }

  @Override
  public Shares evaluate(List<double[]> ms, double[] weights, int p) {
    block.set(0, Normalisation.floats(ms.getFirst()), k * k);
    double[] shares = new double[k];
    double[] hardShares = new double[k];
    double[] product =
        tiles.longGroups()
            ? longGroups(p, weights, shares, hardShares)
            : shortGroups(p, weights, shares, hardShares);
    return shares(weights, shares, hardShares, product);
  }

  @Override
  public Shares subgradient(List<double[]> ms, double[] weights) {
    block.set(0, Normalisation.floats(ms.getFirst()), k * k);
    double[] shares = new double[k];
    double[] product = tiles.longGroups() ? longEnds(weights, shares) : shortEnds(weights, shares);
    return shares(weights, shares, shares, product);
  }

  private Shares shares(double[] weights, double[] shares, double[] hardShares, double[] product) {
    double loss = 0;
    double hardLoss = 0;
    for (int j = 0; j < k; j++) {
      loss += weights[j] * shares[j];
      hardLoss += weights[j] * hardShares[j];
    }
    return new Shares(loss, hardLoss, shares, List.of(product));
  }

  @Override
  public double[] hardShares(List<double[]> ms) {
    block.set(0, Normalisation.floats(ms.getFirst()), k * k);
    double[] shares = new double[k];
    if (tiles.longGroups()) {
      for (int group = 0; group < tiles.groups(); group++) {
        range(group).addHard(group, shares);
      }
    } else {
      for (int tile = 0; tile < tiles.count(); tile++) {
        forward(tile);
        ranges.include(rows, 0, entries);
        addHard(tile, shares);
      }
    }
    return shares;
  }

  /** The gradient's D W^T where a tile holds whole groups. */
  private double[] shortGroups(int p, double[] weights, double[] shares, double[] hardShares) {
    for (int tile = 0; tile < tiles.count(); tile++) {
      forward(tile);
      ranges.include(rows, 0, entries);
      addHard(tile, hardShares);
      ranges.raise(rows, 0, entries, p);
      ranges.finish(p, size);
      for (int l = 0; l < lanes; l++) {
        double weight = weightOfLane(tile, l);
        shares[l % k] += weight * ranges.squared[l];
        ranges.slope[l] *= (float) (2 * weights[l % k] * weight);
      }
      ranges.slope(rows, 0, entries);
      backward(tile, tile == 0 ? 0 : 1);
    }
    return product();
  }

  /** The same for true ranges. */
  private double[] shortEnds(double[] weights, double[] shares) {
    RangeEnds ends = new RangeEnds(lanes);
    for (int tile = 0; tile < tiles.count(); tile++) {
      forward(tile);
      ranges.include(rows, 0, entries);
      for (int l = 0; l < lanes; l++) {
        double weight = weightOfLane(tile, l);
        shares[l % k] +=
            weight
                * ends.expect(
                    l, ranges.low(l), ranges.high(l), weights[l % k] * weight, problem.symmetric());
      }
      ends.replace(rows, 0, entries, lanes);
      backward(tile, tile == 0 ? 0 : 1);
    }
    return product();
  }

  /**
   * For true ranges a group's tiles are gone through twice: nothing is known of its ends before all
   * have been seen.
   */
  private double[] longEnds(double[] weights, double[] shares) {
    RangeEnds ends = new RangeEnds(k);
    for (int group = 0; group < tiles.groups(); group++) {
      LongRange range = range(group);
      double weight = problem.groupWeight(group);
      for (int j = 0; j < k; j++) {
        shares[j] +=
            weight
                * ends.expect(
                    j, range.lows[j], range.highs[j], weights[j] * weight, problem.symmetric());
      }
      for (int i = 0; i < tiles.perGroup(); i++) {
        int tile = group * tiles.perGroup() + i;
        forward(tile);
        ends.replace(rows, 0, entries, lanes);
        backward(tile, tile == 0 ? 0 : 1);
      }
    }
    return product();
  }

  private double[] product() {
    gradient.get(0, products, k * k);
    double[] product = new double[k * k];
    for (int i = 0; i < product.length; i++) {
      product[i] = products[i];
    }
    return product;
  }

  /**
   * The same where a group spans tiles: the largest magnitude so far is the unit, and what was
   * summed is rescaled.
   */
  private double[] longGroups(int p, double[] weights, double[] shares, double[] hardShares) {
    double[] product = new double[k * k];
    for (int group = 0; group < tiles.groups(); group++) {
      LongRange range = new LongRange();
      double[] sums = new double[k];
      double[][] accumulated = new double[k][k];
      for (int i = 0; i < tiles.perGroup(); i++) {
        int tile = group * tiles.perGroup() + i;
        forward(tile);
        ranges.include(rows, 0, entries);
        double[] before = range.tops.clone();
        range.take();
        for (int j = 0; j < k; j++) {
          double ratio = range.tops[j] > 0 ? before[j] / range.tops[j] : 0;
          if (ratio < 1) {
            double factor = StrictMath.pow(ratio, p - 1);
            sums[j] *= factor * ratio;
            for (int c = 0; c < k; c++) {
              accumulated[j][c] *= factor;
            }
          }
        }
        for (int l = 0; l < lanes; l++) {
          ranges.inverseTop[l] = range.tops[l % k] > 0 ? (float) (1 / range.tops[l % k]) : 0;
        }
        ranges.raise(rows, 0, entries, p);
        for (int l = 0; l < lanes; l++) {
          sums[l % k] += ranges.sum[l];
        }
        backward(tile, 0);
        gradient.get(0, products, k * k);
        for (int j = 0; j < k; j++) {
          addRow(accumulated[j], products, j * k, k);
        }
      }
      range.addHard(group, hardShares);
      double weight = problem.groupWeight(group);
      for (int j = 0; j < k; j++) {
        if (range.tops[j] == 0) {
          continue;
        }
        double root = StrictMath.pow(sums[j] / size, 2.0 / p);
        shares[j] += weight * (root * range.tops[j] * range.tops[j]);
        double factor = 2 * weights[j] * weight * root * range.tops[j] / sums[j];
        for (int c = 0; c < k; c++) {
          product[j * k + c] += factor * accumulated[j][c];
        }
      }
    }
    return product;
  }

  private static void addRow(double[] to, float[] from, int at, int count) {
    for (int i = 0; i < count; i++) {
      to[i] += from[at + i];
    }
  }

  /** V of a tile, into {@link #rows}. */
  private void forward(int tile) {
    NativeMatrix.multiply(tiles.get(tile), false, block, true, 0, values);
    for (int e = 0; e < entries; e++) {
      values.get((long) e * lanes, rows[e], lanes);
    }
  }

  private void backward(int tile, double keep) {
    for (int e = 0; e < entries; e++) {
      values.set((long) e * lanes, rows[e], lanes);
    }
    NativeMatrix.multiply(values, true, tiles.get(tile), false, keep, gradient);
  }

  /** Of the group that a lane belongs to, where a tile holds whole groups. */
  private double weightOfLane(int tile, int lane) {
    return problem.groupWeight(tile * (lanes / k) + lane / k);
  }

  private void addHard(int tile, double[] shares) {
    for (int l = 0; l < lanes; l++) {
      double half = ranges.half(l, problem.symmetric());
      shares[l % k] += weightOfLane(tile, l) * (half * half);
    }
  }

  /** The true range of one long group. */
  private LongRange range(int group) {
    LongRange range = new LongRange();
    for (int i = 0; i < tiles.perGroup(); i++) {
      forward(group * tiles.perGroup() + i);
      ranges.include(rows, 0, entries);
      range.take();
    }
    return range;
  }

  /** The range of one long group of every row, tile by tile. */
  private final class LongRange {
    private final double[] lows = new double[k];
    private final double[] highs = new double[k];
    private final double[] tops = new double[k];

    private LongRange() {
      Arrays.fill(lows, Double.POSITIVE_INFINITY);
      Arrays.fill(highs, Double.NEGATIVE_INFINITY);
    }

    private void take() {
      for (int l = 0; l < lanes; l++) {
        int j = l % k;
        lows[j] = Math.min(lows[j], ranges.low(l));
        highs[j] = Math.max(highs[j], ranges.high(l));
        tops[j] = Math.max(tops[j], ranges.top[l]);
      }
    }

    private void addHard(int group, double[] shares) {
      for (int j = 0; j < k; j++) {
        double half = problem.symmetric() ? tops[j] : (highs[j] - lows[j]) / 2;
        shares[j] += problem.groupWeight(group) * (half * half);
      }
    }
  }

  @Override
  public void close() {
    tiles.close();
    values.close();
    block.close();
    gradient.close();
  }
}

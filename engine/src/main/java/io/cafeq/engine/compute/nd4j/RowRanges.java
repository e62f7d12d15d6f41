package io.cafeq.engine.compute.nd4j;

import io.cafeq.engine.grid.LaneLoops;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.transform.LearnProblem;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Ranges along rows: each row of V has a grid for every group of columns. Columns of W are permuted so that entry e of several groups (or of several parts of one long group)
 * of all k rows lies together: a lane is (part, row), and a tile is [entries, lanes] in memory, which is [columns, k] for the
 * matrix products. So every reduction along a group is lane by lane, also for small k.
 */
final class RowRanges implements WeightedRanges {
  private static final int LANES = 512;
  private static final int TILE_COLUMNS = 1024;

  private final LearnProblem.Rows problem;
  private final int k;
  private final int size;
  private final int groups;
  private final boolean longGroups;
  private final int parts;
  private final int entries;
  private final int lanes;
  private final int tilesPerGroup;
  private final List<NativeMatrix> tiles = new ArrayList<>();
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
    groups = problem.n() / size;
    int columns = Math.max(TILE_COLUMNS, 4 * k);
    longGroups = size > columns;
    // Tiles are made equal, so that little of the last one is empty.
    if (longGroups) {
      int tileCount = (size + columns - 1) / columns;
      parts = Math.max(1, LANES / k);
      entries = (size + tileCount * parts - 1) / (tileCount * parts);
      tilesPerGroup = (size + entries * parts - 1) / (entries * parts);
    } else {
      int most = Math.clamp(columns / size, 1, groups);
      int tileCount = (groups + most - 1) / most;
      parts = (groups + tileCount - 1) / tileCount;
      entries = size;
      tilesPerGroup = 0;
    }
    lanes = parts * k;
    values = new NativeMatrix(entries * parts, k);
    block = new NativeMatrix(k, k);
    gradient = new NativeMatrix(k, k);
    rows = new float[entries][lanes];
    ranges = new LaneRanges(lanes);
    products = new float[k * k];
    load();
  }

  /** W as tiles [entries * parts, k], divided by its RMS; columns beyond the end are zero. */
  private void load() {
    FloatMatrix matrix = problem.weights();
    float scale = Normalisation.inverseRms(matrix);
    int tileCount = longGroups ? groups * tilesPerGroup : (groups + parts - 1) / parts;
    int width = entries * parts;
    float[][] columns = new float[width][k];
    for (int tile = 0; tile < tileCount; tile++) {
      int first = longGroups ? tile / tilesPerGroup * size + tile % tilesPerGroup * width : tile * width;
      int end = longGroups ? (tile / tilesPerGroup + 1) * size : problem.n();
      int count = Math.min(width, end - first);
      columnsOfWeights(matrix, first, count, columns);
      for (int c = 0; c < width; c++) {
        if (c < count) {
          LaneLoops.scale(columns[c], problem.evenColumns() ? inverseRms(columns[c]) : scale, k);
        } else {
          Arrays.fill(columns[c], 0);
        }
      }
      NativeMatrix part = new NativeMatrix(width, k);
      for (int e = 0; e < entries; e++) {
        for (int i = 0; i < parts; i++) {
          part.set(((long) e * parts + i) * k, columns[i * entries + e], k);
        }
      }
      tiles.add(part);
    }
  }

  /** Columns [first, first + count) of the block as arrays of length k. */
  private void columnsOfWeights(FloatMatrix matrix, int first, int count, float[][] columns) {
    if (problem.transposed()) {
      for (int c = 0; c < count; c++) {
        MemorySegment.copy(matrix.segment(), ValueLayout.JAVA_FLOAT, 4L * k * (first + c), columns[c], 0, k);
      }
      return;
    }
    float[] piece = new float[count];
    for (int j = 0; j < k; j++) {
      MemorySegment.copy(
          matrix.segment(), ValueLayout.JAVA_FLOAT, 4L * ((long) j * problem.n() + first), piece, 0, count);
      for (int c = 0; c < count; c++) {
        columns[c][j] = piece[c];
      }
    }
  }

  private static float inverseRms(float[] column) {
    double total = 0;
    for (float x : column) {
      total += (double) x * x;
    }
    return total > 0 ? (float) (1 / Math.sqrt(total / column.length)) : 0;
  }

  @Override
  public Shares evaluate(List<double[]> ms, double[] weights, int p) {
    block.set(0, Normalisation.floats(ms.getFirst()), k * k);
    double[] shares = new double[k];
    double[] hardShares = new double[k];
    double[] product =
        longGroups ? longGroups(p, weights, shares, hardShares) : shortGroups(p, weights, shares, hardShares);
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
    if (longGroups) {
      for (int group = 0; group < groups; group++) {
        LongRange range = new LongRange();
        for (int tile = 0; tile < tilesPerGroup; tile++) {
          forward(group * tilesPerGroup + tile);
          ranges.include(rows, 0, entries);
          range.take();
        }
        range.addHard(shares);
      }
    } else {
      for (int tile = 0; tile < tiles.size(); tile++) {
        forward(tile);
        ranges.include(rows, 0, entries);
        addHard(shares);
      }
    }
    return shares;
  }

  /** The gradient's D W^T where a tile holds whole groups. */
  private double[] shortGroups(int p, double[] weights, double[] shares, double[] hardShares) {
    for (int tile = 0; tile < tiles.size(); tile++) {
      forward(tile);
      ranges.include(rows, 0, entries);
      addHard(hardShares);
      ranges.raise(rows, 0, entries, p);
      ranges.finish(p, size);
      for (int l = 0; l < lanes; l++) {
        shares[l % k] += ranges.squared[l];
        ranges.slope[l] *= (float) (2 * weights[l % k]);
      }
      ranges.slope(rows, 0, entries);
      backward(tile, tile == 0 ? 0 : 1);
    }
    gradient.get(0, products, k * k);
    double[] product = new double[k * k];
    for (int i = 0; i < product.length; i++) {
      product[i] = products[i];
    }
    return product;
  }

  /** The same where a group spans tiles: the largest magnitude so far is the unit, and what was summed is rescaled. */
  private double[] longGroups(int p, double[] weights, double[] shares, double[] hardShares) {
    double[] product = new double[k * k];
    for (int group = 0; group < groups; group++) {
      LongRange range = new LongRange();
      double[] sums = new double[k];
      double[][] accumulated = new double[k][k];
      for (int i = 0; i < tilesPerGroup; i++) {
        int tile = group * tilesPerGroup + i;
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
      range.addHard(hardShares);
      for (int j = 0; j < k; j++) {
        if (range.tops[j] == 0) {
          continue;
        }
        double root = StrictMath.pow(sums[j] / size, 2.0 / p);
        shares[j] += root * range.tops[j] * range.tops[j];
        double factor = 2 * weights[j] * root * range.tops[j] / sums[j];
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

  private void addHard(double[] shares) {
    for (int l = 0; l < lanes; l++) {
      double half = ranges.half(l, problem.symmetric());
      shares[l % k] += half * half;
    }
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

    private void addHard(double[] shares) {
      for (int j = 0; j < k; j++) {
        double half = problem.symmetric() ? tops[j] : (highs[j] - lows[j]) / 2;
        shares[j] += half * half;
      }
    }
  }

  @Override
  public void close() {
    tiles.forEach(NativeMatrix::close);
    values.close();
    block.close();
    gradient.close();
  }
}

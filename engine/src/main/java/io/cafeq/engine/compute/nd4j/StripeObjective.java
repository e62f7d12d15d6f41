package io.cafeq.engine.compute.nd4j;

import io.cafeq.engine.grid.LaneLoops;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.transform.LearnProblem;
import io.cafeq.engine.transform.Objective;
import io.cafeq.engine.transform.SquareMatrices;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The input-side loss. Lanes are rows of W (positions n); a group is some rows of the stacked V_b, reduced lane by lane. All
 * that happens to a tile of lanes happens while it is in the cache: V = M W, ranges, powers, and the share of the gradient
 * D W^T.
 */
final class StripeObjective implements Objective {
  private static final int TILE_WEIGHTS = 1 << 17;
  private static final int FEWEST_LANES = 128;
  private static final int MOST_LANES = 1024;
  private static final int LANE_STEP = 64;

  private final LearnProblem.Stripe problem;
  private final int channels;
  private final int tileLanes;
  private final int tileCount;
  private final List<List<NativeMatrix>> weights = new ArrayList<>();
  private final List<NativeMatrix> values = new ArrayList<>();
  private final List<NativeMatrix> blocks = new ArrayList<>();
  private final List<NativeMatrix> gradients = new ArrayList<>();
  private final float[][] rows;
  private final LaneRanges ranges;

  StripeObjective(LearnProblem.Stripe problem) {
    this.problem = problem;
    channels = problem.weights().columns();
    int n = problem.weights().rows();
    tileCount = (n + most(channels) - 1) / most(channels);
    tileLanes = (n + LANE_STEP * tileCount - 1) / (LANE_STEP * tileCount) * LANE_STEP;
    rows = new float[channels][tileLanes];
    ranges = new LaneRanges(tileLanes);
    for (int k : problem.blocks()) {
      values.add(new NativeMatrix(k, tileLanes));
      blocks.add(new NativeMatrix(k, k));
      gradients.add(new NativeMatrix(k, k));
    }
    load();
  }

  /** Most lanes of a tile; tiles are made equal, so that little of the last one is empty. */
  private static int most(int channels) {
    return Math.clamp(TILE_WEIGHTS / channels, FEWEST_LANES, MOST_LANES);
  }

  /** W as tiles [k, lanes] a block, divided by its RMS; lanes beyond the end are zero. */
  private void load() {
    FloatMatrix matrix = problem.weights();
    float scale = Normalisation.inverseRms(matrix);
    float[] piece = new float[channels];
    for (int tile = 0; tile < tileCount; tile++) {
      int first = tile * tileLanes;
      int count = Math.min(tileLanes, matrix.rows() - first);
      for (float[] row : rows) {
        Arrays.fill(row, 0);
      }
      for (int l = 0; l < count; l++) {
        MemorySegment.copy(
            matrix.segment(), ValueLayout.JAVA_FLOAT, 4L * channels * (first + l), piece, 0, channels);
        for (int c = 0; c < channels; c++) {
          rows[c][l] = piece[c] * scale;
        }
      }
      List<NativeMatrix> parts = new ArrayList<>();
      int channel = 0;
      for (int k : problem.blocks()) {
        NativeMatrix part = new NativeMatrix(k, tileLanes);
        for (int j = 0; j < k; j++) {
          part.set((long) j * tileLanes, rows[channel++], tileLanes);
        }
        parts.add(part);
      }
      weights.add(parts);
    }
  }

  @Override
  public Evaluation smooth(List<double[]> ms, int p) {
    return evaluate(ms, (group, norm) -> slopes(group, p, norm));
  }

  @Override
  public Evaluation subgradient(List<double[]> ms) {
    Peaks peaks = new Peaks(tileLanes);
    return evaluate(ms, (group, norm) -> peaks(peaks, group, norm));
  }

  /** Replaces a group's rows by d loss / d V; returns the sum over lanes of R^2. */
  private interface Slopes {
    double replace(int group, double norm);
  }

  private Evaluation evaluate(List<double[]> ms, Slopes slopes) {
    int blockCount = ms.size();
    List<double[]> inverses = new ArrayList<>();
    double[] energies = new double[channels];
    int channel = 0;
    for (int b = 0; b < blockCount; b++) {
      int k = problem.blocks().get(b);
      double[] inverse = SquareMatrices.invert(ms.get(b), k);
      inverses.add(inverse);
      System.arraycopy(SquareMatrices.columnEnergies(inverse, k), 0, energies, channel, k);
      channel += k;
      blocks.get(b).set(0, Normalisation.floats(ms.get(b)), k * k);
    }
    int groups = channels / problem.group();
    double[] sums = new double[groups];
    double[] hardSums = new double[groups];
    double[] norms = new double[groups];
    for (int c = 0; c < channels; c++) {
      norms[c / problem.group()] += energies[c];
    }
    for (int tile = 0; tile < tileCount; tile++) {
      forward(tile);
      for (int g = 0; g < groups; g++) {
        hardSums[g] += ranges(g);
        sums[g] += slopes.replace(g, norms[g]);
      }
      backward(tile);
    }
    double loss = 0;
    double hardLoss = 0;
    for (int g = 0; g < groups; g++) {
      loss += norms[g] * sums[g];
      hardLoss += norms[g] * hardSums[g];
    }
    return new Evaluation(loss, hardLoss, gradients(inverses, sums));
  }

  @Override
  public double[] hardShares(List<double[]> ms) {
    for (int b = 0; b < ms.size(); b++) {
      blocks.get(b).set(0, Normalisation.floats(ms.get(b)), ms.get(b).length);
    }
    double[] shares = new double[channels];
    for (int tile = 0; tile < tileCount; tile++) {
      forward(tile);
      for (int first = 0; first < channels; first += problem.group()) {
        double total = ranges(first / problem.group());
        for (int c = first; c < first + problem.group(); c++) {
          shares[c] += total;
        }
      }
    }
    return shares;
  }

  /** V of a tile, into {@link #rows}. */
  private void forward(int tile) {
    int channel = 0;
    for (int b = 0; b < blocks.size(); b++) {
      NativeMatrix v = values.get(b);
      NativeMatrix.multiply(blocks.get(b), false, weights.get(tile).get(b), false, 0, v);
      for (int j = 0; j < v.rows(); j++) {
        v.get((long) j * tileLanes, rows[channel++], tileLanes);
      }
    }
  }

  /** Ranges of one group in each lane; returns the sum of the squares of the true ones. */
  private double ranges(int group) {
    ranges.include(rows, group * problem.group(), (group + 1) * problem.group());
    double total = 0;
    for (int l = 0; l < tileLanes; l++) {
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
    LaneLoops.scale(ranges.slope, (float) (2 * norm), tileLanes);
    ranges.slope(rows, first, end);
    double total = 0;
    for (float r : ranges.squared) {
      total += r;
    }
    return total;
  }

  /** The same for true ranges, which {@link #ranges(int)} has just found. */
  private double peaks(Peaks peaks, int group, double norm) {
    double total = 0;
    for (int l = 0; l < tileLanes; l++) {
      total += peaks.expect(l, ranges.low(l), ranges.high(l), norm, problem.symmetric());
    }
    peaks.replace(rows, group * problem.group(), (group + 1) * problem.group(), tileLanes);
    return total;
  }

  /** Adds a tile's D W^T to the gradients. */
  private void backward(int tile) {
    int channel = 0;
    for (int b = 0; b < blocks.size(); b++) {
      NativeMatrix d = values.get(b);
      for (int j = 0; j < d.rows(); j++) {
        d.set((long) j * tileLanes, rows[channel++], tileLanes);
      }
      NativeMatrix.multiply(d, false, weights.get(tile).get(b), true, tile == 0 ? 0 : 1, gradients.get(b));
    }
  }

  private List<double[]> gradients(List<double[]> inverses, double[] sums) {
    List<double[]> all = new ArrayList<>();
    int channel = 0;
    for (int b = 0; b < blocks.size(); b++) {
      int k = problem.blocks().get(b);
      double[] shares = new double[k];
      for (int j = 0; j < k; j++) {
        shares[j] = sums[channel++ / problem.group()];
      }
      double[] gradient = SquareMatrices.metricGradient(inverses.get(b), shares, k);
      float[] products = new float[k * k];
      gradients.get(b).get(0, products, k * k);
      for (int i = 0; i < gradient.length; i++) {
        gradient[i] += products[i];
      }
      all.add(gradient);
    }
    return all;
  }

  @Override
  public void close() {
    weights.forEach(parts -> parts.forEach(NativeMatrix::close));
    values.forEach(NativeMatrix::close);
    blocks.forEach(NativeMatrix::close);
    gradients.forEach(NativeMatrix::close);
  }
}

package io.cafeq.engine.rounding;

import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.memory.MatrixProducts;
import io.cafeq.engine.statistics.InputMoments;
import io.cafeq.engine.statistics.MomentBlocks;
import io.cafeq.engine.transform.BlockTransform;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;

/**
 * The metric along the columns of what is rounded: an error e in a row counts e^T H e, H the second
 * moments of the input plus {@code damping} of their mean diagonal on the diagonal. H = R^T R with
 * R upper triangular, so that, going from the last channel to the first, e^T H e = sum_c R_cc^2
 * (e_c + sum_{d>c} R_cd/R_cc e_d)^2, each term with one new error. Channels are taken in an order
 * of their own, those that count most last, since what is rounded first is corrected for by all
 * others.
 *
 * <p>Moments of 0 count nothing: errors in their metric are 0, and codes are chosen as if all
 * channels counted alike.
 *
 * <p>Borrows its memory from the arenas that it was made with. Not thread-safe while it is made,
 * immutable afterwards.
 */
public final class InputMetric {
  /** All columns count alike, and no output errors are measured. */
  public static final InputMetric NONE = new InputMetric(List.of(), List.of(), 0, 0, new double[0]);

  private final List<Block> blocks;
  private final List<InputMoments.Block> moments;
  private final double raised;
  private final double share;
  private final double[] diagonal;
  private final float[] clippingWeights;

  /**
   * Consecutive channels whose errors count together.
   *
   * @param channels by place in the factor: the channel of the whole input that is there
   * @param upper R_cd / R_cc of places c and d > c, 1 on the diagonal, 0 below; [n, n]
   * @param squares R_cc^2 by place
   */
  public record Block(int[] channels, FloatMatrix upper, double[] squares) {
    /** Number of channels. */
    public int size() {
      return channels.length;
    }
  }

  /**
   * @param blocks the factor
   * @param moments what {@link #under} begins with; empty for a metric of transformed channels
   * @param raised what was added to the diagonal of H
   * @param share that errors count: 1, or 0 for moments of 0
   * @param diagonal of all channels
   */
  InputMetric(
      List<Block> blocks,
      List<InputMoments.Block> moments,
      double raised,
      double share,
      double[] diagonal) {
    this.blocks = List.copyOf(blocks);
    this.moments = List.copyOf(moments);
    this.raised = raised;
    this.share = share;
    this.diagonal = diagonal;
    double mean = 0;
    for (double entry : diagonal) {
      mean += entry / diagonal.length;
    }
    clippingWeights = new float[diagonal.length];
    for (int c = 0; c < diagonal.length; c++) {
      clippingWeights[c] = (float) (diagonal[c] / mean);
    }
  }

  /**
   * The metric of weights that meet this input. Where the damped moments have no factor, the
   * damping is raised tenfold until they have.
   *
   * @param moments borrowed for as long as the metric is used
   * @param damping part of the mean diagonal that is added to it, 0 or more
   * @param arena that owns the factor
   */
  public static InputMetric of(
      InputMoments moments, double damping, MatrixProducts products, Arena arena) {
    double mean = meanDiagonal(moments);
    if (!Double.isFinite(mean)) {
      throw new IllegalArgumentException("the moments of " + moments.input() + " are not finite");
    }
    double unit = mean > 0 ? mean : 1;
    double share = mean > 0 ? 1 : 0;
    double first = mean > 0 ? damping * mean : 1;
    MetricFactors factors = new MetricFactors(products, share, unit, arena);
    List<MetricFactors.Matrix> matrices = new ArrayList<>();
    moments.blocks().forEach(block -> matrices.add(new MomentMatrix(block)));
    return factors.make(matrices, moments.blocks(), first);
  }

  /**
   * The metric of V = F w, F the blocks of an input-side transform: P^T H P with P = F^-1, across
   * all blocks. Where a block of the transform crosses from one block of moments to the next, it
   * counts with the one that it begins in, and what it has in common with channels beyond is left
   * out.
   *
   * @param inputBlocks of all channels, in their order
   * @param arena that owns the factor
   */
  public InputMetric under(List<BlockTransform> inputBlocks, MatrixProducts products, Arena arena) {
    if (isNone()) {
      return NONE;
    }
    if (moments.isEmpty()) {
      throw new IllegalStateException("a metric of transformed channels is not transformed again");
    }
    double unit = 0;
    for (double entry : diagonal) {
      unit += entry / diagonal.length;
    }
    try (Arena room = Arena.ofConfined()) {
      List<MetricFactors.Matrix> matrices = new ArrayList<>();
      List<BlockTransform> together = new ArrayList<>();
      for (InputMoments.Block block : moments) {
        int end = block.firstChannel() + block.channels();
        inputBlocks.stream()
            .filter(
                each -> each.firstChannel() >= block.firstChannel() && each.firstChannel() < end)
            .forEach(together::add);
        if (!together.isEmpty()) {
          matrices.add(new TransformedMatrix(moments, List.copyOf(together), products, room));
        }
        together.clear();
      }
      return new MetricFactors(products, share, unit, arena).make(matrices, List.of(), raised);
    }
  }

  /** Whether this is {@link #NONE}. */
  public boolean isNone() {
    return blocks.isEmpty();
  }

  /** Channels in all. */
  public int channels() {
    return diagonal.length;
  }

  /** Blocks in the order of their channels; each has its own. */
  public List<Block> blocks() {
    return blocks;
  }

  /** What was added to the diagonal of H: the damping, or more where that left no factor. */
  public double raised() {
    return raised;
  }

  /** What an error in one channel alone counts, damping included. */
  public double[] diagonal() {
    return diagonal.clone();
  }

  /**
   * The diagonal by its mean: how errors count when a group's grid is chosen. Not to be changed.
   */
  public float[] clippingWeights() {
    return clippingWeights;
  }

  private static double meanDiagonal(InputMoments moments) {
    double sum = 0;
    for (InputMoments.Block block : moments.blocks()) {
      for (int i = 0; i < block.channels(); i++) {
        sum += block.moments().get(i, i);
      }
    }
    return sum / Math.max(1, moments.channels());
  }

  /**
   * Native bytes of a factor, at most.
   *
   * @param momentBytes that the moments take
   * @param channels of the input
   * @param widest block of a transform; 0 for the weights' own metric
   */
  public static long factorBytes(long momentBytes, int channels, int widest) {
    // Blocks of moments are widened to whole blocks of the transform: (n + k)^2 in place of n^2, n
    // of one block at least 1.
    long widened = momentBytes + 3L * Float.BYTES * channels * widest;
    return Math.min(widened, (long) Float.BYTES * channels * channels);
  }

  /**
   * Native bytes that making a factor takes at most beside it: one block in doubles, and some
   * columns of it where it is transformed. The arguments are those of {@link #factorBytes}, the
   * moments cut as {@link MomentBlocks} says.
   */
  public static long makingBytes(long momentBytes, int channels, int widest) {
    // Blocks that are equal but for the last one: their mean size is at most a grain below the
    // largest.
    double squares = momentBytes / (double) Float.BYTES;
    double largest = Math.min(Math.sqrt(squares), squares / channels + MomentBlocks.GRAIN);
    long rows = Math.min((long) Math.ceil(largest) + widest, channels);
    return Double.BYTES * rows * rows + Float.BYTES * widest * (3 * rows + widest);
  }
}

package io.cafeq.engine.transform;

import io.cafeq.engine.memory.FloatMatrix;
import java.util.List;

/**
 * Blocks that are learned together, and the grid whose error counts.
 *
 * <p>Loss, over blocks b with V_b = M_b W_b and P_b = M_b^-1: the sum over groups of (squared
 * column norms of P_b of the group's channels) times (squared ranges R of the group's entries of
 * V); Eq. (4) and its input-side form. Where the second moments H of the inputs are known, it is
 * the expected error of the outputs instead: on the input side the squared norms are those in
 * {@link #metric}, on the output side each group's squared range is multiplied by the mean diagonal
 * of H.
 *
 * @param weights the rectangle of the checkpoint's matrix; borrowed. Rows: [k, n]. Columns: [n, sum
 *     of block sizes].
 */
public sealed interface LearnProblem {
  FloatMatrix weights();

  /** Sizes k of the blocks, in channel order. */
  List<Integer> blocks();

  /**
   * True where the grid has no zero point: R is then the largest magnitude, else half of maximum
   * minus minimum.
   */
  boolean symmetric();

  /** What errors of the mixed channels cost; {@link ChannelMetric#NONE} where all count alike. */
  ChannelMetric metric();

  /**
   * Output side: one block of k rows; each row of V has a grid for every {@code group} columns (0:
   * the whole row). Also the input side with whole rows as groups, where the block's columns are
   * given transposed and divided by their RMS.
   *
   * @param transposed whether {@code weights} is [n, k] instead of [k, n]
   * @param evenColumns whether each of the n columns (length k) is divided by its RMS first
   * @param groupWeights one factor a group, of mean 1, for the group's squared ranges in all rows;
   *     empty where all are 1. Not to be changed
   */
  record Rows(
      FloatMatrix weights,
      int group,
      boolean symmetric,
      boolean transposed,
      boolean evenColumns,
      ChannelMetric metric,
      double[] groupWeights)
      implements LearnProblem {
    public Rows {
      metric.requireFit(List.of(transposed ? weights.columns() : weights.rows()));
      int n = transposed ? weights.rows() : weights.columns();
      int groups = group == 0 ? 1 : n / group;
      if (groupWeights.length > 0 && groupWeights.length != groups) {
        throw new IllegalArgumentException(
            "%d weights of %d groups".formatted(groupWeights.length, groups));
      }
    }

    /** All inputs count alike. */
    public Rows(
        FloatMatrix weights,
        int group,
        boolean symmetric,
        boolean transposed,
        boolean evenColumns) {
      this(weights, group, symmetric, transposed, evenColumns, ChannelMetric.NONE, new double[0]);
    }

    /** The same in a metric of its channels. */
    public Rows in(ChannelMetric known) {
      return new Rows(weights, group, symmetric, transposed, evenColumns, known, groupWeights);
    }

    /** The same with weights of its groups. */
    public Rows weighted(double[] known) {
      return new Rows(weights, group, symmetric, transposed, evenColumns, metric, known);
    }

    /** What a group's squared ranges are multiplied by; also beyond the last group. */
    public double groupWeight(int index) {
      return index < groupWeights.length ? groupWeights[index] : 1;
    }

    public int k() {
      return transposed ? weights.columns() : weights.rows();
    }

    public int n() {
      return transposed ? weights.rows() : weights.columns();
    }

    public int groupSize() {
      return group == 0 ? n() : group;
    }

    @Override
    public List<Integer> blocks() {
      return List.of(k());
    }
  }

  /**
   * Input side: a stripe of whole groups and whole blocks; virtual column c of the stripe is row c
   * of the stacked V_b, and a group is {@code group} consecutive virtual columns of one row of
   * {@code weights}.
   */
  record Stripe(
      FloatMatrix weights, List<Integer> blocks, int group, boolean symmetric, ChannelMetric metric)
      implements LearnProblem {
    public Stripe {
      blocks = List.copyOf(blocks);
      metric.requireFit(blocks);
    }

    /** All inputs count alike. */
    public Stripe(FloatMatrix weights, List<Integer> blocks, int group, boolean symmetric) {
      this(weights, blocks, group, symmetric, ChannelMetric.NONE);
    }
  }
}

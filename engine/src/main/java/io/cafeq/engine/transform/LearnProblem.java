package io.cafeq.engine.transform;

import io.cafeq.engine.memory.FloatMatrix;
import java.util.List;

/**
 * Blocks that are learned together, and the grid whose error counts.
 *
 * <p>Loss, over blocks b with V_b = M_b W_b and P_b = M_b^-1: the sum over groups of (squared column norms of P_b of the
 * group's channels) times (squared ranges R of the group's entries of V); Eq. (4) and its input-side form.
 *
 * @param weights the rectangle of the checkpoint's matrix; borrowed. Rows: [k, n]. Columns: [n, sum of block sizes].
 */
public sealed interface LearnProblem {
  FloatMatrix weights();

  /** Sizes k of the blocks, in channel order. */
  List<Integer> blocks();

  /** True where the grid has no zero point: R is then the largest magnitude, else half of maximum minus minimum. */
  boolean symmetric();

  /**
   * Output side: one block of k rows; each row of V has a grid for every {@code group} columns (0: the whole row). Also the
   * input side with whole rows as groups, where the block's columns are given transposed and divided by their RMS.
   *
   * @param transposed whether {@code weights} is [n, k] instead of [k, n]
   * @param evenColumns whether each of the n columns (length k) is divided by its RMS first
   */
  record Rows(FloatMatrix weights, int group, boolean symmetric, boolean transposed, boolean evenColumns)
      implements LearnProblem {
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
   * Input side: a stripe of whole groups and whole blocks; virtual column c of the stripe is row c of the stacked V_b, and a
   * group is {@code group} consecutive virtual columns of one row of {@code weights}.
   */
  record Stripe(FloatMatrix weights, List<Integer> blocks, int group, boolean symmetric) implements LearnProblem {
    public Stripe {
      blocks = List.copyOf(blocks);
    }
  }
}

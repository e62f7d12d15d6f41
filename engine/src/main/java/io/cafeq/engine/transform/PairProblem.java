package io.cafeq.engine.transform;

import io.cafeq.config.PairLoss;
import io.cafeq.config.Side;
import io.cafeq.engine.memory.FloatMatrix;

/**
 * Two factors whose product over h common channels is all that counts, and what the transform M
 * between them is to minimise: left' = M left, right' = right M^-1. Of values and outputs the left
 * factor is one head's rows of V, [h, in], and the right one the columns of all query heads of its
 * group, stacked to [out * heads, h]. Of keys and queries both have the channels as rows.
 *
 * <p>In what follows R_jg are half ranges of groups, o' the right factor with positions as rows.
 * Paper, appendix A.
 *
 * <ul>
 *   <li>Expected error: log( sum_j ||o'_:j||^2 F_j(v') + sum_j ||v'_j:||^2 F_j(o') ), where F_j is
 *       the sum of size R_jg^2 over the groups of channel j along positions, or the sum over
 *       positions of R^2 of the group across channels that j is in. It is the expected squared
 *       error of the product up to a constant, and free of scale.
 *   <li>The others are made of maxima over all h channels, m_u(i) of |v'| and m_v(i) of |o'| at
 *       each position i, of factors divided by their RMS: (1/t) log( sum e^(t m_u) + sum e^(t m_v)
 *       ); mean m_u^2 + mean m_v^2; the same with the first mean times ||o'||_F, the second times
 *       ||v'||_F.
 * </ul>
 *
 * @param temperature t of LogSumExp
 * @param orthogonality lambda; lambda ||M M^T - I||_F / sqrt(h) is added to the loss
 */
public record PairProblem(
    Factor left, Factor right, PairLoss loss, double temperature, double orthogonality) {
  public PairProblem {
    if (left.channels() != right.channels()) {
      throw new IllegalArgumentException(
          "the factors have "
              + left.channels()
              + " and "
              + right.channels()
              + " channels in common");
    }
  }

  /** Channels in common, h. */
  public int channels() {
    return left.channels();
  }

  /**
   * One factor as it is stored, and its grid.
   *
   * @param weights [channels, positions] (OUTPUT) or [positions, channels] (INPUT); borrowed
   * @param side where the channels are
   * @param group consecutive entries of a stored row that share a grid: positions (OUTPUT) or
   *     channels (INPUT); 0 for all
   * @param symmetric true where the grid has no zero point: R is then the largest magnitude
   */
  public record Factor(FloatMatrix weights, Side side, int group, boolean symmetric) {
    public Factor {
      int length = weights.columns();
      if (group < 0 || (group > 0 && length % group != 0)) {
        throw new IllegalArgumentException(
            "groups of " + group + " do not divide rows of " + length);
      }
    }

    public int channels() {
      return side == Side.OUTPUT ? weights.rows() : weights.columns();
    }

    public int positions() {
      return side == Side.OUTPUT ? weights.columns() : weights.rows();
    }

    public int groupSize() {
      return group == 0 ? weights.columns() : group;
    }

    /**
     * What the squared ranges count for in the error: a group along positions holds that many of
     * them.
     */
    public int rangeWeight() {
      return side == Side.OUTPUT ? groupSize() : 1;
    }
  }
}

package io.cafeq.engine.statistics;

/**
 * Moments for an expert that saw too few tokens to have its own: its measured diagonal d over t
 * tokens, mixed with what is known beside it as if that were {@value #PRIOR_TOKENS} tokens.
 *
 * <p>Gate and up read the layer's input, so that all experts together say how channels go together:
 * with A their moments and a the diagonal, H = S A S, S_i^2 = (t d_i / a_i + {@value
 * #PRIOR_TOKENS}) / (t + {@value #PRIOR_TOKENS}). The channels that down reads are each expert's
 * own, of which others say nothing: H is diagonal, and d is mixed with its mean.
 */
public final class ExpertMoments {
  private static final double PRIOR_TOKENS = 16;

  private ExpertMoments() {}

  /**
   * Overwrites the moments of all experts together with those of one.
   *
   * @param own measured diagonal, [channels]
   * @param tokens that it was measured over, at least 1
   */
  public static void rescale(InputMoments all, float[] own, long tokens) {
    double share = tokens / (tokens + PRIOR_TOKENS);
    double[] before = all.diagonal(0);
    float[] factors = new float[before.length];
    for (int i = 0; i < before.length; i++) {
      double ratio = before[i] > 0 ? own[i] / before[i] : 1;
      factors[i] = (float) Math.sqrt(share * ratio + 1 - share);
    }
    all.scale(factors);
  }

  /**
   * A measured diagonal mixed with its mean.
   *
   * @param tokens that it was measured over, at least 1
   */
  public static float[] shrunk(float[] own, long tokens) {
    double mean = 0;
    for (float entry : own) {
      mean += (double) entry / own.length;
    }
    double share = tokens / (tokens + PRIOR_TOKENS);
    float[] shrunk = new float[own.length];
    for (int i = 0; i < own.length; i++) {
      shrunk[i] = (float) (share * own[i] + (1 - share) * mean);
    }
    return shrunk;
  }

  /** Overwrites moments with their mean diagonal: all channels alike. */
  public static void level(InputMoments all) {
    float mean = (float) all.meanDiagonal();
    for (InputMoments.Block block : all.blocks()) {
      block.moments().segment().fill((byte) 0);
      for (int i = 0; i < block.channels(); i++) {
        block.moments().set(i, i, mean);
      }
    }
  }
}

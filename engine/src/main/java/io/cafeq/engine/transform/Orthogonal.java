package io.cafeq.engine.transform;

import java.util.SplittableRandom;

/** Orthogonal k x k matrices, row-major doubles. */
public final class Orthogonal {
  private Orthogonal() {}

  /**
   * A uniformly random rotation: Q of a Gaussian matrix, signs fixed by a positive diagonal of T.
   */
  public static double[] rotation(int k, long seed) {
    double[] a = Seeds.gaussians(new SplittableRandom(seed), k * k);
    double[] t = SquareMatrices.upperTriangular(a, k);
    double[] q = SquareMatrices.multiply(a, SquareMatrices.invert(t, k), k);
    // One Newton-Schulz step takes the rounding of the triangular inverse out: Q <- Q (3 I - Q^T Q)
    // / 2.
    double[] gram = SquareMatrices.multiply(SquareMatrices.transpose(q, k), q, k);
    for (int i = 0; i < gram.length; i++) {
      gram[i] = -gram[i] / 2;
    }
    for (int i = 0; i < k; i++) {
      gram[i * k + i] += 1.5;
    }
    return SquareMatrices.multiply(q, gram, k);
  }

  /**
   * One random sign bit a channel, least significant bit first, for {@link
   * StoredTransform.Format#HADAMARD}.
   */
  public static byte[] signs(int k, long seed) {
    byte[] bits = new byte[(k + 7) / 8];
    SplittableRandom random = new SplittableRandom(seed);
    for (int i = 0; i < k; i++) {
      bits[i / 8] |= (byte) ((random.nextLong() >>> 63) << (i % 8));
    }
    return bits;
  }
}

package io.cafeq.engine.transform;

import java.util.Optional;

/**
 * One finished block as the rounding needs it: M is the inverse of P <em>as stored</em>, and the error of codes is measured by
 * P = Q T.
 *
 * @param stored what goes into the file
 * @param forward M, row-major [k, k]
 * @param correction row j holds T_ji / T_jj for i > j, else 0; row-major [k, k]
 * @param diagonal T_jj
 */
public record BlockTransform(StoredTransform stored, float[] forward, float[] correction, float[] diagonal) {
  /** Empty where the stored P has no finite inverse. */
  public static Optional<BlockTransform> of(StoredTransform stored) {
    int k = stored.k();
    float[] inverse = stored.inverse();
    double[] p = new double[k * k];
    for (int i = 0; i < p.length; i++) {
      p[i] = inverse[i];
    }
    boolean orthogonal = stored.format() == StoredTransform.Format.HADAMARD;
    double[] m = orthogonal ? SquareMatrices.transpose(p, k) : SquareMatrices.invert(p, k);
    double[] t = orthogonal ? SquareMatrices.identity(k) : SquareMatrices.upperTriangular(p, k);
    float[] forward = new float[k * k];
    float[] correction = new float[k * k];
    float[] diagonal = new float[k];
    for (int j = 0; j < k; j++) {
      diagonal[j] = (float) t[j * k + j];
      for (int i = 0; i < k; i++) {
        forward[j * k + i] = (float) m[j * k + i];
        correction[j * k + i] = i > j ? (float) (t[j * k + i] / t[j * k + j]) : 0;
        if (!Float.isFinite(forward[j * k + i]) || !Float.isFinite(correction[j * k + i])) {
          return Optional.empty();
        }
      }
    }
    return Optional.of(new BlockTransform(stored, forward, correction, diagonal));
  }

  public int k() {
    return stored.k();
  }

  /** First channel of the block on its side. */
  public int firstChannel() {
    return stored.firstChannel();
  }

  /** True where no row's error depends on another's, so that nearest plane is nearest rounding. */
  public boolean isOrthogonal() {
    return stored.format() == StoredTransform.Format.HADAMARD;
  }
}

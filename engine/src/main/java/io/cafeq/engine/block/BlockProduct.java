package io.cafeq.engine.block;

import io.cafeq.engine.transform.StoredTransform;

/**
 * Multiplies the inverse transform P of one block with k vectors of any length: result i is the sum
 * over ascending j of P[i][j] * vector j, each product and each sum rounded to float, or for a
 * Hadamard block the butterflies of growing distance, then the factor. The order is fixed, and Java
 * fuses nothing, so every machine gets the same bits.
 */
final class BlockProduct {
  private final int k;
  private final boolean butterflies;
  private final float[] inverse;
  private final float[] factors;

  BlockProduct(StoredTransform transform) {
    this.k = transform.k();
    this.butterflies =
        transform.format() == StoredTransform.Format.HADAMARD && Integer.bitCount(k) == 1;
    this.inverse = butterflies ? new float[0] : transform.inverse();
    this.factors = butterflies ? factors(transform) : new float[0];
  }

  int k() {
    return k;
  }

  /**
   * Puts result i into results[i][0, length); {@code vectors} may be overwritten. Vectors are
   * separate arrays so that the inner loops have one index only, which C2 turns into vector code.
   */
  void apply(float[][] vectors, float[][] results, int length) {
    if (butterflies) {
      for (int distance = 1; distance < k; distance *= 2) {
        for (int i = 0; i < k; i++) {
          if ((i & distance) == 0) {
            butterfly(vectors[i], vectors[i + distance], length);
          }
        }
      }
      for (int i = 0; i < k; i++) {
        scale(vectors[i], factors[i], results[i], length);
      }
    } else {
      for (int i = 0; i < k; i++) {
        row(i, vectors, results[i], length);
      }
    }
  }

  private void row(int i, float[][] vectors, float[] result, int length) {
    int p = i * k;
    int j = 0;
    if (k >= 8) {
      first(inverse, p, vectors, result, length);
      j = 8;
    } else {
      java.util.Arrays.fill(result, 0, length, 0);
    }
    for (; j + 8 <= k; j += 8) {
      next(inverse, p + j, vectors, j, result, length);
    }
    for (; j < k; j++) {
      one(inverse[p + j], vectors[j], result, length);
    }
  }

  private static void first(float[] p, int at, float[][] v, float[] result, int length) {
    float p0 = p[at], p1 = p[at + 1], p2 = p[at + 2], p3 = p[at + 3];
    float p4 = p[at + 4], p5 = p[at + 5], p6 = p[at + 6], p7 = p[at + 7];
    float[] v0 = v[0], v1 = v[1], v2 = v[2], v3 = v[3], v4 = v[4], v5 = v[5], v6 = v[6], v7 = v[7];
    for (int c = 0; c < length; c++) {
      result[c] =
          p0 * v0[c]
              + p1 * v1[c]
              + p2 * v2[c]
              + p3 * v3[c]
              + p4 * v4[c]
              + p5 * v5[c]
              + p6 * v6[c]
              + p7 * v7[c];
    }
  }

  private static void next(float[] p, int at, float[][] v, int j, float[] result, int length) {
    float p0 = p[at], p1 = p[at + 1], p2 = p[at + 2], p3 = p[at + 3];
    float p4 = p[at + 4], p5 = p[at + 5], p6 = p[at + 6], p7 = p[at + 7];
    float[] v0 = v[j], v1 = v[j + 1], v2 = v[j + 2], v3 = v[j + 3];
    float[] v4 = v[j + 4], v5 = v[j + 5], v6 = v[j + 6], v7 = v[j + 7];
    for (int c = 0; c < length; c++) {
      result[c] =
          result[c]
              + p0 * v0[c]
              + p1 * v1[c]
              + p2 * v2[c]
              + p3 * v3[c]
              + p4 * v4[c]
              + p5 * v5[c]
              + p6 * v6[c]
              + p7 * v7[c];
    }
  }

  private static void one(float p, float[] v, float[] result, int length) {
    for (int c = 0; c < length; c++) {
      result[c] += p * v[c];
    }
  }

  private static void butterfly(float[] a, float[] b, int length) {
    for (int c = 0; c < length; c++) {
      float sum = a[c] + b[c];
      b[c] = a[c] - b[c];
      a[c] = sum;
    }
  }

  private static void scale(float[] v, float factor, float[] result, int length) {
    for (int c = 0; c < length; c++) {
      result[c] = v[c] * factor;
    }
  }

  private static float[] factors(StoredTransform transform) {
    float scale = (float) (1 / Math.sqrt(transform.k()));
    float[] factors = new float[transform.k()];
    for (int i = 0; i < factors.length; i++) {
      factors[i] = (transform.data()[i / 8] >> (i % 8) & 1) == 1 ? -scale : scale;
    }
    return factors;
  }
}

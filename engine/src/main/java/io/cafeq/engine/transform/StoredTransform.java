package io.cafeq.engine.transform;

import io.cafeq.config.Side;
import java.util.Arrays;
import java.util.Objects;

/**
 * One block of the inverse transform P = M^-1 as it is stored: k channels from {@code firstChannel}
 * on (rows of the tensor on the output side, columns on the input side). What is quantized is V = M
 * W_b, so W_b = P V.
 *
 * @param data INT8: k*k signed bytes, row-major, entry (i, j) = byte * scale of column j; BF16: k*k
 *     little-endian bfloat16, row-major; HADAMARD: k sign bits, least significant first, 1 for
 *     minus, P = diag(sign) H^T / sqrt(k)
 * @param scales INT8: k f16 values; else empty
 */
public record StoredTransform(
    Side side, int firstChannel, int k, Format format, byte[] data, short[] scales) {
  /** How P is written down. */
  public enum Format {
    INT8,
    BF16,
    HADAMARD
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof StoredTransform that
        && side == that.side
        && firstChannel == that.firstChannel
        && k == that.k
        && format == that.format
        && Arrays.equals(data, that.data)
        && Arrays.equals(scales, that.scales);
  }

  @Override
  public int hashCode() {
    return Objects.hash(
        side, firstChannel, k, format, Arrays.hashCode(data), Arrays.hashCode(scales));
  }

  /**
   * P as floats, row-major [k, k]. Every entry is one float product (int8 times scale), so all
   * machines get the same bits.
   */
  public float[] inverse() {
    float[] p = new float[k * k];
    switch (format) {
      case INT8 -> {
        for (int i = 0; i < p.length; i++) {
          p[i] = data[i] * Float.float16ToFloat(scales[i % k]);
        }
      }
      case BF16 -> {
        for (int i = 0; i < p.length; i++) {
          p[i] = Float.intBitsToFloat((data[2 * i] & 0xFF) << 16 | (data[2 * i + 1] & 0xFF) << 24);
        }
      }
      case HADAMARD -> {
        float scale = (float) (1 / Math.sqrt(k));
        for (int i = 0; i < k; i++) {
          boolean minus = (data[i / 8] >> (i % 8) & 1) == 1;
          for (int j = 0; j < k; j++) {
            boolean odd = (Integer.bitCount(i & j) & 1) == 1;
            p[i * k + j] = odd == minus ? scale : -scale;
          }
        }
      }
    }
    return p;
  }
}

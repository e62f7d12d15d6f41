package io.cafeq.engine.transform;

import io.cafeq.config.Side;
import io.cafeq.config.TransformStorage;

/** Rounds an inverse transform P to what is stored. */
public final class StoredTransforms {
  private StoredTransforms() {}

  /** P (row-major [k, k]) of the block whose channels start at {@code firstChannel}. */
  public static StoredTransform store(
      Side side, int firstChannel, int k, double[] p, TransformStorage storage) {
    return switch (storage) {
      case INT8 -> int8(side, firstChannel, k, p);
      case BF16 -> bf16(side, firstChannel, k, p);
    };
  }

  /** diag(sign) H^T / sqrt(k) by its signs. */
  public static StoredTransform hadamard(Side side, int firstChannel, int k, long seed) {
    return new StoredTransform(
        side,
        firstChannel,
        k,
        StoredTransform.Format.HADAMARD,
        Orthogonal.signs(k, seed),
        new short[0]);
  }

  private static StoredTransform int8(Side side, int firstChannel, int k, double[] p) {
    byte[] data = new byte[k * k];
    short[] scales = new short[k];
    for (int j = 0; j < k; j++) {
      double largest = 0;
      for (int i = 0; i < k; i++) {
        largest = Math.max(largest, Math.abs(p[i * k + j]));
      }
      scales[j] = Float.floatToFloat16((float) (largest / 127));
      double scale = Float.float16ToFloat(scales[j]);
      for (int i = 0; i < k; i++) {
        data[i * k + j] = (byte) Math.clamp((long) Math.rint(p[i * k + j] / scale), -127, 127);
      }
    }
    return new StoredTransform(side, firstChannel, k, StoredTransform.Format.INT8, data, scales);
  }

  private static StoredTransform bf16(Side side, int firstChannel, int k, double[] p) {
    byte[] data = new byte[2 * k * k];
    for (int i = 0; i < k * k; i++) {
      int bits = Float.floatToRawIntBits((float) p[i]);
      int rounded = (bits + 0x7FFF + (bits >>> 16 & 1)) >>> 16;
      data[2 * i] = (byte) rounded;
      data[2 * i + 1] = (byte) (rounded >>> 8);
    }
    return new StoredTransform(
        side, firstChannel, k, StoredTransform.Format.BF16, data, new short[0]);
  }
}

package io.cafeq.engine.model;

import io.cafeq.engine.checkpoint.Dtype;
import java.util.List;

/** The two packed formats of published checkpoints, in both directions. */
final class PackedFloats {
  private static final int TILE = 128;
  private static final double LARGEST_E4M3 = 448;
  private static final int BLOCK = 32;
  private static final double[] FOUR_BIT = {0, 0.5, 1, 1.5, 2, 3, 4, 6};

  /** What two stored tensors hold. */
  record Packed(byte[] codes, byte[] scales) {}

  private PackedFloats() {}

  /**
   * 8-bit floats [rows, columns], and a 32-bit float for each tile of 128 x 128, the last ones
   * smaller.
   */
  static Packed tiled(double[] matrix, int rows, int columns) {
    int across = tiles(columns);
    double[] scales = new double[tiles(rows) * across];
    for (int i = 0; i < matrix.length; i++) {
      int tile = i / columns / TILE * across + i % columns / TILE;
      scales[tile] = Math.max(scales[tile], (float) (Math.abs(matrix[i]) / LARGEST_E4M3));
    }
    double[] quotients = new double[matrix.length];
    for (int i = 0; i < matrix.length; i++) {
      quotients[i] = matrix[i] / scales[i / columns / TILE * across + i % columns / TILE];
    }
    return new Packed(
        NumberCodec.encode(Dtype.F8_E4M3, quotients), NumberCodec.encode(Dtype.F32, scales));
  }

  static double[] fromTiled(Packed packed, int columns) {
    double[] codes = NumberCodec.decode(Dtype.F8_E4M3, packed.codes());
    double[] scales = NumberCodec.decode(Dtype.F32, packed.scales());
    for (int i = 0; i < codes.length; i++) {
      codes[i] *= scales[i / columns / TILE * tiles(columns) + i % columns / TILE];
    }
    return codes;
  }

  private static int tiles(int channels) {
    return (channels + TILE - 1) / TILE;
  }

  /** 4-bit floats, two a byte, low half first, and a power of two for each 32 in a row. */
  static Packed microScaled(double[] values) {
    byte[] codes = new byte[values.length / 2];
    byte[] scales = new byte[values.length / BLOCK];
    for (int block = 0; block < scales.length; block++) {
      double largest = 0;
      for (int i = 0; i < BLOCK; i++) {
        largest = Math.max(largest, Math.abs(values[block * BLOCK + i]));
      }
      int exponent = largest == 0 ? 0 : Math.getExponent(largest) - 2;
      scales[block] = (byte) (exponent + 127);
      for (int i = 0; i < BLOCK; i++) {
        int at = block * BLOCK + i;
        int code = fourBit(values[at] / Math.pow(2, exponent));
        codes[at / 2] |= (byte) (at % 2 == 0 ? code : code << 4);
      }
    }
    return new Packed(codes, scales);
  }

  static double[] fromMicroScaled(Packed packed) {
    double[] values = new double[packed.codes().length * 2];
    for (int i = 0; i < values.length; i++) {
      int code = packed.codes()[i / 2] >> (i % 2 == 0 ? 0 : 4) & 0xF;
      double scale = Math.pow(2, (packed.scales()[i / BLOCK] & 0xFF) - 127);
      values[i] = (code >= 8 ? -FOUR_BIT[code - 8] : FOUR_BIT[code]) * scale;
    }
    return values;
  }

  private static int fourBit(double value) {
    int best = 0;
    for (int code = 1; code < FOUR_BIT.length; code++) {
      if (Math.abs(FOUR_BIT[code] - Math.abs(value)) < Math.abs(FOUR_BIT[best] - Math.abs(value))) {
        best = code;
      }
    }
    return value < 0 ? best + 8 : best;
  }

  /** A stack [experts, rows, columns] as [experts, columns, rows]. */
  static DoubleTensor transposed(List<Integer> shape, double[] values) {
    DoubleTensor stored = new DoubleTensor(shape, values);
    DoubleTensor result = DoubleTensor.zeros(List.of(shape.get(0), shape.get(2), shape.get(1)));
    for (int expert = 0; expert < shape.get(0); expert++) {
      for (int row = 0; row < shape.get(1); row++) {
        for (int column = 0; column < shape.get(2); column++) {
          result.set(expert, column, row, stored.at(expert, row, column));
        }
      }
    }
    return result;
  }
}

package io.cafeq.engine.grid;

import io.cafeq.config.ScaleStorage;

/**
 * Scales and minimums of a row's groups as codes, beside the factors of their super-blocks. The
 * factor of a super-block is the one by which its largest scale, or minimum, has the code of the
 * largest magnitude. Reused for one row after the other; not thread-safe.
 */
public final class SuperScales {
  private final boolean signed;
  private final int top;
  private final int middle;
  private final int together;
  private final int blocks;
  private final HalfType halves;
  private final short[] bits;
  private final float[] factors;

  public SuperScales(GridSpec grid, int columns) {
    signed = grid.storage() == ScaleStorage.K_SIGNED;
    top = grid.scaleTop();
    middle = grid.scaleMiddle();
    together = grid.superGroups(columns);
    blocks = grid.superBlocks(columns);
    halves = grid.halves();
    bits = new short[grid.rowScales(columns)];
    factors = new float[bits.length];
  }

  /** The magnitude that a row's largest factor would have: what its exponent is chosen by. */
  public static float factor(GridSpec grid, float largest) {
    return largest
        / (grid.storage() == ScaleStorage.K_SIGNED ? grid.scaleMiddle() : grid.scaleTop());
  }

  /**
   * Chooses the factors of a row.
   *
   * @param scales of its groups, from {@code first} on; above 0 unless they are signed
   * @param minimums of its groups, at most 0; not looked at where scales are signed
   * @param power of two that the row's f16 numbers are multiplied with
   */
  public void choose(double[] scales, double[] minimums, int first, int groups, float power) {
    for (int block = 0; block < blocks; block++) {
      double largest = 0;
      double lowest = 0;
      int end = Math.min(groups, (block + 1) * together);
      for (int g = block * together; g < end; g++) {
        double scale = scales[first + g];
        largest = Math.abs(scale) > Math.abs(largest) ? scale : largest;
        lowest = signed ? 0 : Math.min(lowest, minimums[first + g]);
      }
      // Of signed codes the lowest has the largest magnitude.
      double factor = largest / (signed ? -middle : top) / power;
      short magnitude = halves.positive(Math.abs(factor));
      put(block, factor < 0 ? (short) (magnitude | 0x8000) : magnitude, power);
      if (!signed) {
        put(blocks + block, halves.signed(Math.max(0, -lowest) / top / power), power);
      }
    }
  }

  private void put(int at, short half, float power) {
    bits[at] = half;
    factors[at] = Float.float16ToFloat(half) * power;
  }

  /** The f16 numbers of the row as stored. */
  public short[] bits() {
    return bits;
  }

  /** The code of a scale, {@code offset} beside the nearest one; none stands for 0. */
  public int scaleCode(int group, double scale, int offset) {
    long nearest = Math.round(scale / factors[group / together]) + offset;
    if (!signed) {
      return (int) Math.clamp(nearest, 1, top);
    }
    long code = Math.clamp(nearest, -middle, middle - 1);
    return (int) (code == 0 ? (scale < 0 == factors[group / together] < 0 ? 1 : -1) : code)
        + middle;
  }

  /** The code of a minimum, {@code offset} beside the nearest one. */
  public int minimumCode(int group, double minimum, int offset) {
    float factor = signed ? 0 : factors[blocks + group / together];
    return factor == 0 ? 0 : (int) Math.clamp(Math.round(-minimum / factor) + offset, 0, top);
  }

  /** What the code of a scale stands for. */
  public float scale(int group, int code) {
    return factors[group / together] * (signed ? code - middle : code);
  }

  /** What the code of a minimum stands for, at most 0. */
  public float minimum(int group, int code) {
    return signed ? 0 : -(factors[blocks + group / together] * code);
  }
}

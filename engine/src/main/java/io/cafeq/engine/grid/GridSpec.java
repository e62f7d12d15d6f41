package io.cafeq.engine.grid;

import io.cafeq.config.ScaleStorage;

/**
 * The uniform grid of a matrix [out, in], Eq. (1): codes of {@code bits} bits, one scale for every
 * {@code group} consecutive columns of a row.
 *
 * @param bits 2 to 8
 * @param group columns per group, a divisor of the columns; 0 for the whole row
 * @param scaleBits bits of a compact scale, 8, 6 or 4; no meaning for the f16 storages and for
 *     whole rows
 * @param clip whether each group's range is clipped to the least squared error
 * @param halves of the f16 storages; how their scales are rounded
 */
public record GridSpec(
    int bits, int group, ScaleStorage storage, int scaleBits, boolean clip, HalfType halves) {
  /** Columns of a super-block. */
  public static final int SUPER_BLOCK = 256;

  /** With f16 scales of all their digits. */
  public GridSpec(int bits, int group, ScaleStorage storage, int scaleBits, boolean clip) {
    this(bits, group, storage, scaleBits, clip, HalfType.F16);
  }

  public GridSpec {
    if (bits < 2 || bits > 8) {
      throw new IllegalArgumentException("bits must be 2 to 8, not " + bits);
    }
    if (group < 0) {
      throw new IllegalArgumentException("group must not be negative: " + group);
    }
    if (scaleBits != 8 && scaleBits != 6 && scaleBits != 4) {
      throw new IllegalArgumentException("scale bits must be 8, 6 or 4, not " + scaleBits);
    }
  }

  /** The highest code. */
  public int top() {
    return (1 << bits) - 1;
  }

  /** The code that stands for 0 on a signed grid. */
  public int middle() {
    return 1 << bits - 1;
  }

  public boolean wholeRow() {
    return group == 0;
  }

  /** Columns per group of a matrix with that many columns. */
  public int groupSize(int columns) {
    return wholeRow() ? columns : group;
  }

  public int groups(int columns) {
    return wholeRow() ? 1 : columns / group;
  }

  /** True where each group has an f16 scale of its own: the f16 storages, and whole rows. */
  public boolean scalesAreF16() {
    return switch (storage) {
      case SYMMETRIC, ZERO_POINT, OFFSET -> wholeRow();
      case F16, F16_MINIMUM, SIGNED -> true;
      case K_MINIMUM, K_SIGNED -> false;
    };
  }

  /** Groups of a super-block; the last one of a row may have fewer. */
  public int superGroups(int columns) {
    return Math.max(1, SUPER_BLOCK / groupSize(columns));
  }

  /** Super-blocks of a row. */
  public int superBlocks(int columns) {
    return Math.ceilDiv(groups(columns), superGroups(columns));
  }

  /** f16 numbers of a row beside those of its groups: a scale, or factors of super-blocks. */
  public int rowScales(int columns) {
    return switch (storage) {
      case SYMMETRIC, ZERO_POINT, OFFSET -> wholeRow() ? 0 : 1;
      case F16, F16_MINIMUM, SIGNED -> 0;
      case K_SIGNED -> superBlocks(columns);
      case K_MINIMUM -> 2 * superBlocks(columns);
    };
  }

  /** The highest code of a compact scale. */
  public int scaleTop() {
    return (1 << scaleBits) - 1;
  }

  /** The code that stands for 0 among signed codes of scales. */
  public int scaleMiddle() {
    return 1 << scaleBits - 1;
  }

  /** Bits of a group's zero point or minimum as stored. */
  public int zeroBits() {
    return switch (storage) {
      case SYMMETRIC, SIGNED, K_SIGNED -> 0;
      case K_MINIMUM -> scaleBits;
      case ZERO_POINT, F16 -> bits;
      case OFFSET -> 8;
      case F16_MINIMUM -> 16;
    };
  }

  /** Bits of one row: codes, scales, zero points. */
  public long bitsPerRow(int columns) {
    long groups = groups(columns);
    long scales = (scalesAreF16() ? 16 : scaleBits) * groups + 16L * rowScales(columns);
    return (long) bits * columns + scales + zeroBits() * groups;
  }
}

package io.cafeq.config;

/**
 * How the scales and zero points of a grid are stored. The value of a code is (code - zero) * scale
 * unless said otherwise.
 */
public enum ScaleStorage {
  /**
   * Zero is (2^bits - 1) / 2 and is not stored. Scales of scale-bits bits are relative to one f16
   * per row.
   */
  SYMMETRIC("symmetric"),
  /** Integer zero point of bits bits, 0 inside the range. Scales as in symmetric. */
  ZERO_POINT("zero-point"),
  /** Zero point of 8 bits in units of 2^(bits - 8). Scales as in symmetric. */
  OFFSET("offset"),
  /** f16 scale and integer zero point of bits bits in every group. */
  F16("f16"),
  /**
   * f16 scale and f16 minimum in every group. The value is code * scale + minimum: Eq. (1) as
   * printed.
   */
  F16_MINIMUM("f16-minimum"),
  /**
   * f16 scale of either sign in every group; the code 2^(bits - 1) stands for 0. What most formats
   * call symmetric: the codes are those of signed integers.
   */
  SIGNED("signed"),
  /**
   * llama.cpp's K types with minimums: codes for the scale and the minimum of each group, and f16
   * factors for both in each super-block of 256 columns. The value is code * scale - minimum.
   */
  K_MINIMUM("k-minimum"),
  /**
   * llama.cpp's K types without minimums: a signed code for the scale of each group, and an f16
   * factor of either sign in each super-block of 256 columns; the code 2^(bits - 1) stands for 0.
   */
  K_SIGNED("k-signed");

  private final String text;

  ScaleStorage(String text) {
    this.text = text;
  }

  /** Whether grids reach as far below 0 as above, but for one code. */
  public boolean isSymmetric() {
    return switch (this) {
      case SYMMETRIC, SIGNED, K_SIGNED -> true;
      case ZERO_POINT, OFFSET, F16, F16_MINIMUM, K_MINIMUM -> false;
    };
  }

  /** Whether scales have factors of their own in super-blocks. */
  public boolean hasSuperBlocks() {
    return switch (this) {
      case K_MINIMUM, K_SIGNED -> true;
      case SYMMETRIC, ZERO_POINT, OFFSET, F16, F16_MINIMUM, SIGNED -> false;
    };
  }

  /** The name in recipes, options and reports. */
  public String text() {
    return text;
  }

  @Override
  public String toString() {
    return text;
  }
}

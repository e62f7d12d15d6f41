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
  SIGNED("signed");

  private final String text;

  ScaleStorage(String text) {
    this.text = text;
  }

  /** Whether grids reach as far below 0 as above, but for one code. */
  public boolean isSymmetric() {
    return switch (this) {
      case SYMMETRIC, SIGNED -> true;
      case ZERO_POINT, OFFSET, F16, F16_MINIMUM -> false;
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

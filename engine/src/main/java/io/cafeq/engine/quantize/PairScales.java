package io.cafeq.engine.quantize;

/**
 * Powers of two by which the factors of a pair are divided while they are worked on, so that
 * products of them stay within floats, and those that the stored factors are multiplied with. Of a
 * pair only the product counts, so what one factor has too little of, the other may have too much
 * of: each gets half of both together. Ordinary pairs have only zeros.
 *
 * @param left exponent by which the left factor is divided
 * @param right exponent by which the right factor is divided
 * @param storedLeft exponent that the stored left factor is multiplied with
 * @param storedRight exponent that the stored right factor is multiplied with
 */
record PairScales(int left, int right, int storedLeft, int storedRight) {
  static final PairScales ORDINARY = new PairScales(0, 0, 0, 0);

  /**
   * Factors that are together no further from 1 need no powers of two in the file once both are as
   * far.
   */
  private static final int MOST_TOGETHER = 24;

  /** Rows may be 2^20 below the largest, levels 2^9 below their rows. */
  private static final int SAFE = -96;

  /**
   * Those of factors that are divided by these.
   *
   * @param reversed whether each factor stands for the source's own, as where the transform is
   *     undone before saving
   */
  static PairScales of(int left, int right, boolean reversed) {
    if (reversed || (left == 0 && right == 0)) {
      return new PairScales(left, right, left, right);
    }
    int together = left + right;
    int half = Math.floorDiv(together, 2);
    return Math.abs(together) <= MOST_TOGETHER
        ? new PairScales(left - half, right - (together - half), 0, 0)
        : new PairScales(left, right, half, together - half);
  }

  /**
   * Whether stored factors are so small that some of their digits may be lost among the smallest
   * floats.
   */
  boolean mayLoseDigits() {
    return Math.min(storedLeft, storedRight) < SAFE;
  }

  /**
   * What a bias on the channels of a factor is multiplied with, to go the way of the factor's rows.
   */
  double ofBias(boolean isLeft) {
    return isLeft ? Math.scalb(1.0, storedLeft - left) : Math.scalb(1.0, storedRight - right);
  }
}

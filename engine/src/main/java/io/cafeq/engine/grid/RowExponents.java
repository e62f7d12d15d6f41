package io.cafeq.engine.grid;

/**
 * Chooses the power of two that a row's f16 scales and minimums are stored with, where f16 alone
 * would lose them: its normal numbers end at 2^-14, and where its subnormal ones end, at 2^-24, so
 * does all of the row. A power of two costs no digit.
 */
public final class RowExponents {
  /**
   * From here on f16 has at least four binary digits for a step, and rows keep the bytes that they
   * have always had.
   */
  private static final double SMALLEST_ORDINARY = 0x1p-20;

  private static final double LARGEST_ORDINARY = 0x1p15;

  /**
   * A minimum in f16 has eleven digits, so a step below this share of it is indistinguishable from
   * 0 beside it.
   */
  private static final double SHARE_OF_MINIMUM = 0x1p-6;

  /** Where a row's largest step goes: below it there are 28 powers of two for its other groups. */
  private static final int AIM = 4;

  /** 2^e times the smallest f16 must be a float above 0, and times any f16 a finite one. */
  static final int LEAST = -125;

  private static final int MOST = 112;

  /**
   * Floats are multiples of 2^-149: levels below this are indistinguishable once they are decoded.
   */
  private static final double NOTHING = 0x1p-134;

  private RowExponents() {}

  /**
   * Whether a row's largest step, or minimum, is too small for any float to tell its levels apart:
   * it becomes zeros.
   */
  public static boolean isNothing(double largest) {
    return largest < NOTHING;
  }

  /**
   * The exponent of a row; 0 for an ordinary one, and for zeros.
   *
   * @param step the largest of its groups
   * @param minimum the largest magnitude of a stored minimum; 0 where the storage has none
   */
  public static int of(double step, double minimum) {
    double largest = Math.max(step, minimum * SHARE_OF_MINIMUM);
    boolean ordinary = largest >= SMALLEST_ORDINARY && Math.max(step, minimum) <= LARGEST_ORDINARY;
    return ordinary || isNothing(largest)
        ? 0
        : Math.clamp(Math.getExponent(largest) - AIM, LEAST, MOST);
  }

  /** 2^e. */
  public static float factor(int exponent) {
    return Math.scalb(1f, exponent);
  }
}

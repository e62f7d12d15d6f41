package io.cafeq.engine.grid;

/**
 * How many digits an f16 scale or minimum of a group may have. A target that stores them as bf16
 * takes numbers of eight binary digits, which f16 holds as well, down to 2^-17 and with fewer
 * digits below; so the files of a result know f16 only.
 */
public enum HalfType {
  /** Eleven digits. */
  F16("f16") {
    @Override
    float rounded(double value) {
      return (float) Math.clamp(value, -Float.MAX_VALUE, Float.MAX_VALUE);
    }
  },
  /** Eight digits. */
  BF16("bf16") {
    @Override
    float rounded(double value) {
      int bits = Float.floatToRawIntBits((float) Math.clamp(value, -LARGEST, LARGEST));
      return Float.intBitsToFloat((bits + 0x7FFF + (bits >>> 16 & 1)) & 0xFFFF0000);
    }
  };

  /** The largest bf16 that f16 reaches. */
  static final double LARGEST = 65280;

  private final String text;

  HalfType(String text) {
    this.text = text;
  }

  /** The name in files. */
  public String text() {
    return text;
  }

  /** Rounded to its digits, not to its exponents. */
  abstract float rounded(double value);

  /** Nearest f16 of this type for a positive value: above 0 and finite. */
  public short positive(double value) {
    return HalfFloats.positive(rounded(value));
  }

  /** Nearest f16 of this type of either sign; magnitudes beyond f16 become its largest. */
  public short signed(double value) {
    return HalfFloats.signed(rounded(value));
  }
}

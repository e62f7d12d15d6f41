package io.cafeq.engine.transform;

import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Objects;

/**
 * Scales of input channels: what is transformed and rounded is W diag(s), and the effective weights
 * are that, decoded, times diag(1/s). Stored as the exponents of 1/s in eighths of an octave, one
 * signed byte a channel, so that 1/s_j = 2^(e_j / 8) to the bit on every machine. Immutable.
 *
 * <p>If all errors of a group were about the root mean square of what is rounded there, that of an
 * output would be sum_j h_j / s_j^2 times sum_j s_j^2 sigma_j^2, h the diagonal of the input
 * Hessian and sigma_j^2 the mean square of column j, which is least at s_j = (h_j /
 * sigma_j^2)^(1/4). But ranges are clipped with weights h_j already, and nearest plane moves errors
 * to where they count less: on real weights the output error was least with half that power of h,
 * s_j = h_j^(1/8) / sigma_j^(1/2), and flat around it: half a step, a sixteenth of an octave, costs
 * 0.2 %.
 */
public final class ColumnScales {
  private static final int BITS = 8;

  private static final int STEPS = 8;

  /** Of what is taken to the power 1/4. */
  private static final double OCTAVE = 4 * StrictMath.log(2);

  /** 2^(i / 8) rounded to float. */
  private static final float[] POWERS = {
    0x1p0f, 0x1.172b84p0f, 0x1.306fep0f, 0x1.4bfdaep0f,
    0x1.6a09e6p0f, 0x1.8ace54p0f, 0x1.ae89fap0f, 0x1.d5818ep0f
  };

  private final byte[] exponents;
  private final float[] inverses;

  private ColumnScales(byte[] exponents) {
    this.exponents = exponents;
    inverses = new float[exponents.length];
    for (int j = 0; j < inverses.length; j++) {
      inverses[j] = power(exponents[j]);
    }
  }

  /**
   * As they are stored.
   *
   * @param exponents of 1/s in eighths of an octave
   */
  public static ColumnScales stored(byte[] exponents) {
    return new ColumnScales(exponents.clone());
  }

  /** All 1. */
  public static ColumnScales ones(int channels) {
    return new ColumnScales(new byte[channels]);
  }

  /**
   * The best ones: s_j = h_j^(1/8) / sigma_j^(1/2), times a factor that keeps their geometric mean
   * at 1. A channel without weights, or that counts nothing, has 1.
   *
   * @param diagonal h, of the input Hessian
   * @param squares sigma^2 times anything that is the same for all channels
   */
  public static ColumnScales best(double[] diagonal, double[] squares) {
    int channels = diagonal.length;
    double[] octaves = new double[channels];
    double sum = 0;
    int counted = 0;
    for (int j = 0; j < channels; j++) {
      double ratio = diagonal[j] / squares[j];
      octaves[j] =
          ratio > 0 && Double.isFinite(ratio)
              ? (StrictMath.log(diagonal[j]) / 2 - StrictMath.log(squares[j])) / OCTAVE
              : Double.NaN;
      if (!Double.isNaN(octaves[j])) {
        sum += octaves[j];
        counted++;
      }
    }
    byte[] exponents = new byte[channels];
    for (int j = 0; j < channels; j++) {
      if (!Double.isNaN(octaves[j])) {
        long exponent = Math.round(STEPS * (sum / counted - octaves[j]));
        exponents[j] = (byte) Math.clamp(exponent, -Byte.MAX_VALUE, Byte.MAX_VALUE);
      }
    }
    return new ColumnScales(exponents);
  }

  /** Bits that the scales of some columns take. */
  public static long bits(int columns) {
    return (long) BITS * columns;
  }

  public int channels() {
    return exponents.length;
  }

  /** As they are to be stored. */
  public byte[] exponents() {
    return exponents.clone();
  }

  /** s of a channel. */
  public float scale(int channel) {
    return power(-exponents[channel]);
  }

  /** 1/s of a channel. */
  public float inverse(int channel) {
    return inverses[channel];
  }

  /** 1/s of all channels. */
  public float[] inverses() {
    return inverses.clone();
  }

  private static float power(int eighths) {
    return Math.scalb(POWERS[Math.floorMod(eighths, STEPS)], Math.floorDiv(eighths, STEPS));
  }

  /**
   * Multiplies columns by s in place.
   *
   * @param firstChannel of the matrix's first column
   */
  public void multiply(FloatMatrix weights, int firstChannel) {
    Objects.checkFromIndexSize(firstChannel, weights.columns(), exponents.length);
    float[] factors = new float[weights.columns()];
    for (int j = 0; j < factors.length; j++) {
      factors[j] = scale(firstChannel + j);
    }
    apply(weights, factors);
  }

  /** Multiplies all columns by 1/s in place. */
  public void divide(FloatMatrix weights) {
    if (weights.columns() != exponents.length) {
      throw new IllegalArgumentException(weights.columns() + " columns by " + this);
    }
    apply(weights, inverses);
  }

  private static void apply(FloatMatrix weights, float[] factors) {
    float[] row = new float[factors.length];
    for (int i = 0; i < weights.rows(); i++) {
      long at = (long) Float.BYTES * i * row.length;
      MemorySegment.copy(weights.segment(), ValueLayout.JAVA_FLOAT, at, row, 0, row.length);
      for (int j = 0; j < row.length; j++) {
        row[j] *= factors[j];
      }
      MemorySegment.copy(row, 0, weights.segment(), ValueLayout.JAVA_FLOAT, at, row.length);
    }
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof ColumnScales that && Arrays.equals(exponents, that.exponents);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(exponents);
  }

  @Override
  public String toString() {
    return exponents.length + " column scales";
  }
}

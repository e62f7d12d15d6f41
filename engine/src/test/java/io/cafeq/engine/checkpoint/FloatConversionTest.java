package io.cafeq.engine.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigDecimal;
import java.util.Random;
import org.junit.jupiter.api.Test;

class FloatConversionTest {
  private static final int ALL = 1 << 16;

  private static short[] allShorts() {
    short[] all = new short[ALL];
    for (int i = 0; i < ALL; i++) {
      all[i] = (short) i;
    }
    return all;
  }

  @Test
  void everyBfloat16IsTheUpperHalfOfAFloat() {
    int[] bits = new int[ALL];
    assertThat(FloatConversion.fromBf16(allShorts(), bits, ALL)).isFalse();
    for (int i = 0; i < ALL; i++) {
      assertThat(bits[i]).isEqualTo(i << 16);
    }
  }

  @Test
  void everyHalfFloatIsThePlatformsOwn() {
    float[] floats = new float[ALL];
    assertThat(FloatConversion.fromF16(allShorts(), floats, ALL)).isFalse();
    for (int i = 0; i < ALL; i++) {
      assertThat(Float.floatToRawIntBits(floats[i]))
          .isEqualTo(Float.floatToRawIntBits(Float.float16ToFloat((short) i)));
    }
  }

  @Test
  void findsEveryValueThatIsNotFinite() {
    int[] bits = new int[3];
    float[] floats = new float[3];
    for (int i = 0; i < ALL; i++) {
      short[] values = {1, (short) i, 2};
      assertThat(FloatConversion.fromBf16(values, bits, 3))
          .isEqualTo(Float.isFinite(Float.intBitsToFloat(i << 16)));
      assertThat(FloatConversion.fromF16(values, floats, 3))
          .isEqualTo(Float.isFinite(Float.float16ToFloat((short) i)));
    }
  }

  @Test
  void findsFloatsAndDoublesThatAreNotFinite() {
    int[] extremes = {0, 0x80000000, 1, 0x7F7FFFFF, 0xFF7FFFFF};
    assertThat(FloatConversion.areFinite(extremes, extremes.length)).isTrue();
    for (int bad : new int[] {0x7F800000, 0xFF800000, 0x7FC00000, 0x7F800001, 0xFFFFFFFF}) {
      assertThat(FloatConversion.areFinite(new int[] {0, bad, 1}, 3)).isFalse();
      assertThat(FloatConversion.areFinite(new int[] {0, bad, 1}, 1)).isTrue();
    }
    float[] floats = new float[2];
    assertThat(FloatConversion.fromF64(new double[] {1.5, -3.0e38}, floats, 2)).isTrue();
    assertThat(floats).containsExactly(1.5f, -3.0e38f);
    for (double bad : new double[] {1e39, -1e39, Double.NaN, Double.NEGATIVE_INFINITY}) {
      assertThat(FloatConversion.fromF64(new double[] {1.5, bad}, floats, 2)).isFalse();
    }
  }

  @Test
  void bfloat16ComesBackUnchanged() {
    int[] bits = new int[ALL];
    short[] back = new short[ALL];
    FloatConversion.fromBf16(allShorts(), bits, ALL);
    FloatConversion.toBf16(bits, back, ALL);
    for (int i = 0; i < ALL; i++) {
      if (Float.isNaN(Float.intBitsToFloat(i << 16))) {
        assertThat(Float.isNaN(Float.intBitsToFloat(back[i] << 16))).as("NaN %x", i).isTrue();
      } else {
        assertThat(back[i]).isEqualTo((short) i);
      }
    }
  }

  @Test
  void roundsToTheNearestBfloat16() {
    Random random = new Random(5);
    int[] bits = new int[20_000];
    for (int i = 0; i < bits.length; i++) {
      bits[i] = random.nextInt();
      if (i % 4 == 0) {
        bits[i] = (bits[i] & 0xFFFF0000) | 0x8000; // exactly half way
      }
    }
    short[] rounded = new short[bits.length];
    FloatConversion.toBf16(bits.clone(), rounded, bits.length);
    for (int i = 0; i < bits.length; i++) {
      float value = Float.intBitsToFloat(bits[i]);
      if (Float.isFinite(value)) {
        assertThat(rounded[i]).as("%x", bits[i]).isEqualTo(nearest(value));
      } else {
        assertThat(Float.isNaN(Float.intBitsToFloat(rounded[i] << 16)))
            .isEqualTo(Float.isNaN(value));
      }
    }
  }

  /**
   * By exact decimal arithmetic over the two neighbours; beyond the largest value counts as the
   * next power of two.
   */
  private static short nearest(float value) {
    int down = Float.floatToRawIntBits(value) >>> 16;
    BigDecimal exact = new BigDecimal(value);
    BigDecimal below = exact.subtract(decimal(down)).abs();
    BigDecimal above = decimal(down + 1).subtract(exact).abs();
    int order = below.compareTo(above);
    return (short) (order < 0 || (order == 0 && (down & 1) == 0) ? down : down + 1);
  }

  private static BigDecimal decimal(int bfloat16) {
    if ((bfloat16 & 0x7FFF) == 0x7F80) {
      BigDecimal beyond = BigDecimal.TWO.pow(128);
      return (bfloat16 & 0x8000) == 0 ? beyond : beyond.negate();
    }
    return new BigDecimal(Float.intBitsToFloat(bfloat16 << 16));
  }

  @Test
  void roundsToHalfFloatsAsThePlatformDoes() {
    float[] values = {
      0, -0f, 1, 65504, 65519.996f, 65520, 1e-8f, 6e-8f, 0.1f, Float.NaN, Float.NEGATIVE_INFINITY
    };
    short[] rounded = new short[values.length];
    FloatConversion.toF16(values, rounded, values.length);
    for (int i = 0; i < values.length; i++) {
      assertThat(rounded[i]).isEqualTo(Float.floatToFloat16(values[i]));
    }
    assertThat(Float.float16ToFloat(rounded[4])).isEqualTo(65504f);
    assertThat(Float.float16ToFloat(rounded[5])).isInfinite();
  }
}

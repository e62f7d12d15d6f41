package io.cafeq.engine.export.gguf;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.engine.checkpoint.Digests;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.security.MessageDigest;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** K types against their equations, and bytes that the gguf package decodes to the same bits. */
class SuperBlocksTest {
  /**
   * Of the blocks below, which gguf 0.19.0 ({@code gguf.dequantize}) was seen to decode to the same
   * floats.
   */
  private static final String GOLDEN =
      "f9ffb54d6c9dff8fa332236162aa9a87e0e8741fe3f3f9c0dfb781cd5c4aa150";

  private static final int BLOCKS = 64;

  @Test
  void blocksMeanWhatTheirEquationsSay() {
    Random random = new Random(7);
    MessageDigest digest = Digests.sha256();
    for (GgufType type :
        List.of(GgufType.Q2_K, GgufType.Q3_K, GgufType.Q4_K, GgufType.Q5_K, GgufType.Q6_K)) {
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment out = arena.allocate((long) BLOCKS * type.bytes());
        for (int block = 0; block < BLOCKS; block++) {
          check(type, random, out, (long) block * type.bytes());
        }
        digest.update(out.toArray(ValueLayout.JAVA_BYTE));
      }
    }
    assertThat(Digests.hex(digest)).isEqualTo(GOLDEN);
  }

  private static void check(GgufType type, Random random, MemorySegment out, long at) {
    int bits = bits(type);
    byte[] codes = new byte[256];
    byte[] scales = new byte[16];
    byte[] minimums = new byte[16];
    for (int i = 0; i < codes.length; i++) {
      codes[i] = (byte) random.nextInt(1 << bits);
    }
    for (int i = 0; i < scales.length; i++) {
      scales[i] = (byte) random.nextInt(1 << type.scaleBits());
      minimums[i] = (byte) random.nextInt(1 << Math.min(6, type.scaleBits()));
    }
    short d = Float.floatToFloat16((float) (random.nextGaussian() * 0.01));
    short dmin = Float.floatToFloat16((float) Math.abs(random.nextGaussian() * 0.01));
    float[] decoded = new float[256];
    SuperBlocks.encode(type, codes, 0, scales, minimums, 0, d, dmin, out, at);
    BlockDecoder.decode(type, out, at, decoded.length, decoded);
    float factor = Float.float16ToFloat(d);
    float lowest = Float.float16ToFloat(dmin);
    for (int i = 0; i < decoded.length; i++) {
      int group = i / (256 / type.groups());
      int scale = scales[group] & 0xFF;
      float expected =
          switch (type) {
            case Q3_K -> factor * (scale - 32) * (codes[i] - 4);
            case Q6_K -> factor * (scale - 128) * (codes[i] - 32);
            default -> factor * scale * codes[i] - lowest * minimums[group];
          };
      assertThat(Float.floatToRawIntBits(decoded[i])).isEqualTo(Float.floatToRawIntBits(expected));
    }
  }

  private static int bits(GgufType type) {
    return switch (type) {
      case Q2_K -> 2;
      case Q3_K -> 3;
      case Q4_K -> 4;
      case Q5_K -> 5;
      default -> 6;
    };
  }
}

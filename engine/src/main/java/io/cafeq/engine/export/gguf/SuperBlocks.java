package io.cafeq.engine.export.gguf;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Blocks of 256 weights whose groups have codes for scales and minimums (K types). */
final class SuperBlocks {
  private static final ValueLayout.OfShort HALF =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final int WEIGHTS = 256;

  private SuperBlocks() {}

  /** Where the parts of a block are. */
  private record Parts(long low, long high, long scales, long d, long dmin) {
    static Parts of(GgufType type, long at) {
      return switch (type) {
        case Q2_K -> new Parts(at + 16, -1, at, at + 80, at + 82);
        case Q3_K -> new Parts(at + 32, at, at + 96, at + 108, -1);
        case Q4_K -> new Parts(at + 16, -1, at + 4, at, at + 2);
        case Q5_K -> new Parts(at + 48, at + 16, at + 4, at, at + 2);
        case Q6_K -> new Parts(at, at + 128, at + 192, at + 208, -1);
        case F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0 ->
            throw new IllegalArgumentException(type + " has no super-blocks");
      };
    }
  }

  /** Bits of a code that are stored apart from the others. */
  private static int highBits(GgufType type) {
    return switch (type) {
      case Q3_K, Q5_K -> 1;
      case Q6_K -> 2;
      default -> 0;
    };
  }

  private static int lowBits(GgufType type) {
    return switch (type) {
      case Q2_K, Q3_K -> 2;
      default -> 4;
    };
  }

  /**
   * The byte with the low bits of a weight: 32 neighbours each have a byte of their own, and each
   * byte has those of every 32nd weight. Q6_K alone takes 64 neighbours together.
   */
  private static int lowByte(GgufType type, int weight) {
    if (type == GgufType.Q6_K) {
      return weight / 128 * 64 + weight % 64;
    }
    int span = 32 * (Byte.SIZE / lowBits(type));
    return weight / span * 32 + weight % 32;
  }

  private static int lowShift(GgufType type, int weight) {
    if (type == GgufType.Q6_K) {
      return weight % 128 / 64 * 4;
    }
    int bits = lowBits(type);
    return weight / 32 % (Byte.SIZE / bits) * bits;
  }

  private static int highByte(GgufType type, int weight) {
    return type == GgufType.Q6_K ? weight / 128 * 32 + weight % 32 : weight % 32;
  }

  private static int highShift(GgufType type, int weight) {
    return type == GgufType.Q6_K ? weight % 128 / 32 * 2 : weight / 32;
  }

  /**
   * Writes one block.
   *
   * @param codes from {@code first} on
   * @param scales codes of the groups' scales, from {@code group} on; signed ones count from half
   *     of their range
   * @param minimums codes of the groups' minimums, where the type has some
   * @param d f16 bits of the factor of scales
   * @param dmin f16 bits of the factor of minimums
   */
  static void encode(
      GgufType type,
      byte[] codes,
      int first,
      byte[] scales,
      byte[] minimums,
      int group,
      short d,
      short dmin,
      MemorySegment out,
      long at) {
    Parts parts = Parts.of(type, at);
    out.asSlice(at, type.bytes()).fill((byte) 0);
    out.set(HALF, parts.d(), d);
    if (parts.dmin() >= 0) {
      out.set(HALF, parts.dmin(), dmin);
    }
    int lowBits = lowBits(type);
    for (int w = 0; w < WEIGHTS; w++) {
      int code = codes[first + w] & 0xFF;
      or(out, parts.low() + lowByte(type, w), (code & (1 << lowBits) - 1) << lowShift(type, w));
      if (highBits(type) > 0) {
        or(out, parts.high() + highByte(type, w), code >> lowBits << highShift(type, w));
      }
    }
    for (int g = 0; g < type.groups(); g++) {
      int scale = scales[group + g] & 0xFF;
      int minimum = minimums[group + g] & 0xFF;
      switch (type) {
        case Q2_K -> or(out, parts.scales() + g, scale | minimum << 4);
        case Q3_K -> {
          or(out, parts.scales() + g % 8, (scale & 0xF) << g / 8 * 4);
          or(out, parts.scales() + 8 + g % 4, scale >> 4 << g / 4 * 2);
        }
        case Q6_K -> or(out, parts.scales() + g, scale - 128);
        default -> sixBits(out, parts.scales(), g, scale, minimum);
      }
    }
  }

  /** Eight pairs of six bits: four whole, and the upper two bits of four more, and their rest. */
  private static void sixBits(MemorySegment out, long at, int group, int scale, int minimum) {
    if (group < 4) {
      or(out, at + group, scale);
      or(out, at + 4 + group, minimum);
    } else {
      or(out, at + group - 4, scale >> 4 << 6);
      or(out, at + group, minimum >> 4 << 6);
      or(out, at + 4 + group, scale & 0xF | (minimum & 0xF) << 4);
    }
  }

  private static void or(MemorySegment out, long at, int bits) {
    out.set(ValueLayout.JAVA_BYTE, at, (byte) (out.get(ValueLayout.JAVA_BYTE, at) | bits));
  }

  private static int octet(MemorySegment in, long at) {
    return in.get(ValueLayout.JAVA_BYTE, at) & 0xFF;
  }

  /** Decodes one block to out[first, first + 256). */
  static void decode(GgufType type, MemorySegment in, long at, float[] out, int first) {
    Parts parts = Parts.of(type, at);
    float d = Float.float16ToFloat(in.get(HALF, parts.d()));
    float dmin = parts.dmin() < 0 ? 0 : Float.float16ToFloat(in.get(HALF, parts.dmin()));
    int length = WEIGHTS / type.groups();
    for (int w = 0; w < WEIGHTS; w++) {
      int code =
          octet(in, parts.low() + lowByte(type, w)) >> lowShift(type, w) & (1 << lowBits(type)) - 1;
      if (highBits(type) > 0) {
        int high =
            octet(in, parts.high() + highByte(type, w)) >> highShift(type, w)
                & (1 << highBits(type)) - 1;
        code |= high << lowBits(type);
      }
      int g = w / length;
      out[first + w] =
          switch (type) {
            case Q2_K -> {
              int both = octet(in, parts.scales() + g);
              yield d * (both & 0xF) * code - dmin * (both >> 4);
            }
            case Q3_K -> {
              int low = octet(in, parts.scales() + g % 8) >> g / 8 * 4 & 0xF;
              int high = octet(in, parts.scales() + 8 + g % 4) >> g / 4 * 2 & 3;
              yield d * ((low | high << 4) - 32) * (code - 4);
            }
            case Q6_K -> d * in.get(ValueLayout.JAVA_BYTE, parts.scales() + g) * (code - 32);
            default ->
                d * scale(in, parts.scales(), g) * code - dmin * minimum(in, parts.scales(), g);
          };
    }
  }

  private static int scale(MemorySegment in, long at, int group) {
    return group < 4
        ? octet(in, at + group) & 0x3F
        : octet(in, at + 4 + group) & 0xF | octet(in, at + group - 4) >> 6 << 4;
  }

  private static int minimum(MemorySegment in, long at, int group) {
    return group < 4
        ? octet(in, at + 4 + group) & 0x3F
        : octet(in, at + 4 + group) >> 4 | octet(in, at + group) >> 6 << 4;
  }
}

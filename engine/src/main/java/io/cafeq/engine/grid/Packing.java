package io.cafeq.engine.grid;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * Codes of 2 to 8 bits in a bit stream, least significant bit first, padded with zeros to a whole
 * byte. Eight codes make exactly {@code bits} bytes, so they go through one register at a time.
 */
public final class Packing {
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle CODES =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

  private Packing() {}

  /** Bytes that {@code count} codes take. */
  public static long bytes(long count, int bits) {
    return (count * bits + 7) / 8;
  }

  /**
   * Packs codes[from, from + count) to {@code out} at {@code offset}; codes are unsigned and below
   * 2^bits.
   */
  public static void pack(
      byte[] codes, int from, int count, int bits, MemorySegment out, long offset) {
    long mask = mask(bits);
    int i = 0;
    // A long is stored whole and the next one overwrites its upper bytes: stop while eight bytes
    // still fit.
    int whole =
        (int) Math.min(count / 8, Math.max(0, Math.floorDiv(bytes(count, bits) - 8, bits) + 1));
    for (; i < whole; i++) {
      out.set(
          LONG,
          offset + (long) i * bits,
          Long.compress((long) CODES.get(codes, from + i * 8), mask));
    }
    for (int done = i * 8; done < count; done += 8) {
      long word = 0;
      int left = Math.min(8, count - done);
      for (int j = 0; j < left; j++) {
        word |= (codes[from + done + j] & 0xFFL) << (j * bits);
      }
      long bytes = bytes(left, bits);
      for (int b = 0; b < bytes; b++) {
        out.set(
            ValueLayout.JAVA_BYTE, offset + (long) done / 8 * bits + b, (byte) (word >>> (8 * b)));
      }
    }
  }

  /** The inverse of {@link #pack}. */
  public static void unpack(
      MemorySegment in, long offset, int count, int bits, byte[] codes, int from) {
    long mask = mask(bits);
    int whole =
        (int) Math.min(count / 8, Math.max(0, Math.floorDiv(bytes(count, bits) - 8, bits) + 1));
    int i = 0;
    for (; i < whole; i++) {
      CODES.set(codes, from + i * 8, Long.expand(in.get(LONG, offset + (long) i * bits), mask));
    }
    for (int done = i * 8; done < count; done += 8) {
      int left = Math.min(8, count - done);
      long bytes = bytes(left, bits);
      long word = 0;
      for (int b = 0; b < bytes; b++) {
        word |=
            (in.get(ValueLayout.JAVA_BYTE, offset + (long) done / 8 * bits + b) & 0xFFL) << (8 * b);
      }
      for (int j = 0; j < left; j++) {
        codes[from + done + j] = (byte) (word >>> (j * bits) & ((1 << bits) - 1));
      }
    }
  }

  private static long mask(int bits) {
    return ((1L << bits) - 1) * 0x0101010101010101L;
  }
}

package io.cafeq.engine.export.gguf;

import io.cafeq.config.ScaleStorage;
import io.cafeq.engine.grid.EncodedSlab;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.grid.GridValues;
import io.cafeq.engine.grid.Packing;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Stored codes and scales as blocks of one type; both mean the same values, so nothing is rounded.
 * Reuses its arrays. Not thread-safe.
 */
final class BlockEncoder {
  private static final ValueLayout.OfShort HALF =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final GgufType type;
  private final int columns;
  private final byte[] codes;
  private final byte[] scales;
  private final byte[] minimums;

  /**
   * @param columns a multiple of a block's weights
   */
  BlockEncoder(GgufType type, int columns) {
    this.type = type;
    this.columns = columns;
    codes = new byte[columns];
    int groups = columns / type.weights() * type.groups();
    scales = new byte[type.isSuper() ? groups + 8 : 0];
    minimums = new byte[type.isSuper() ? groups + 8 : 0];
  }

  /** Bytes of a row. */
  long rowBytes() {
    return type.bytesOf(columns);
  }

  /**
   * Writes one row.
   *
   * @param values of {@code slab}, which has a grid of this type and no exponents
   */
  void encode(EncodedSlab slab, GridValues values, int row, MemorySegment out, long offset) {
    values.readCodes(row, 0, columns, codes);
    int blocks = columns / type.weights();
    if (type.isSuper()) {
      encodeSuper(slab, row, blocks, out, offset);
      return;
    }
    for (int block = 0; block < blocks; block++) {
      long at = offset + (long) block * type.bytes();
      long half = 2 * ((long) row * blocks + block);
      int first = block * type.weights();
      out.set(HALF, at, slab.scales().get(HALF, half));
      switch (type) {
        case Q4_0 -> nibbles(out, at + 2, first);
        case Q4_1 -> {
          out.set(HALF, at + 2, slab.zeros().get(HALF, half));
          nibbles(out, at + 4, first);
        }
        case Q5_0 -> {
          fifthBits(out, at + 2, first);
          nibbles(out, at + 6, first);
        }
        case Q5_1 -> {
          out.set(HALF, at + 2, slab.zeros().get(HALF, half));
          fifthBits(out, at + 4, first);
          nibbles(out, at + 8, first);
        }
        case Q8_0 -> {
          for (int i = 0; i < type.weights(); i++) {
            out.set(ValueLayout.JAVA_BYTE, at + 2 + i, (byte) (codes[first + i] - 128));
          }
        }
        case F32, F16, BF16, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K ->
            throw new IllegalStateException(type + " has no codes");
      }
    }
  }

  private void encodeSuper(EncodedSlab slab, int row, int blocks, MemorySegment out, long offset) {
    GridSpec grid = slab.grid();
    int groups = grid.groups(columns);
    boolean hasMinimums = grid.storage() == ScaleStorage.K_MINIMUM;
    Packing.unpack(
        slab.scales(),
        row * EncodedSlab.scaleBytes(grid, columns),
        groups,
        grid.scaleBits(),
        scales,
        0);
    if (hasMinimums) {
      Packing.unpack(
          slab.zeros(),
          row * EncodedSlab.zeroBytes(grid, columns),
          groups,
          grid.zeroBits(),
          minimums,
          0);
    }
    long own = (long) row * grid.rowScales(columns);
    for (int block = 0; block < blocks; block++) {
      SuperBlocks.encode(
          type,
          codes,
          block * type.weights(),
          scales,
          minimums,
          block * type.groups(),
          slab.rowScales().get(HALF, 2 * (own + block)),
          hasMinimums ? slab.rowScales().get(HALF, 2 * (own + blocks + block)) : 0,
          out,
          offset + (long) block * type.bytes());
    }
  }

  /** Weight j in the low half of byte j, weight j + 16 in the high one. */
  private void nibbles(MemorySegment out, long at, int first) {
    for (int j = 0; j < 16; j++) {
      int low = codes[first + j] & 0xF;
      int high = codes[first + j + 16] & 0xF;
      out.set(ValueLayout.JAVA_BYTE, at + j, (byte) (low | high << 4));
    }
  }

  /** Bit j of four bytes is the fifth one of weight j. */
  private void fifthBits(MemorySegment out, long at, int first) {
    for (int b = 0; b < 4; b++) {
      int bits = 0;
      for (int j = 0; j < 8; j++) {
        bits |= (codes[first + 8 * b + j] >> 4 & 1) << j;
      }
      out.set(ValueLayout.JAVA_BYTE, at + b, (byte) bits);
    }
  }
}

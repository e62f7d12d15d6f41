package io.cafeq.engine.rounding;

import io.cafeq.config.Side;
import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Moves the entries of one block between a slab [rows, columns] in native memory and the rows of a
 * {@link BlockTile}. Row j of a tile is row {@code channel + j} of the slab and its lanes are
 * columns on the output side; on the input side it is column {@code channel + j} and its lanes are
 * rows.
 */
final class BlockTransfer {
  private final Side side;
  private final int k;
  private final int channel;
  private final float[] piece;
  private final byte[] codes;

  BlockTransfer(Side side, int k, int channel) {
    this.side = side;
    this.k = k;
    this.channel = channel;
    piece = new float[k];
    codes = new byte[k];
  }

  /** Lanes in all. */
  int total(FloatMatrix slab) {
    return switch (side) {
      case OUTPUT -> slab.columns();
      case INPUT -> slab.rows();
    };
  }

  /** Lanes [first, first + count) of the slab into rows of {@code count} entries. */
  void gather(FloatMatrix slab, int first, int count, float[][] rows) {
    switch (side) {
      case OUTPUT -> {
        for (int j = 0; j < k; j++) {
          MemorySegment.copy(
              slab.segment(),
              ValueLayout.JAVA_FLOAT,
              bytes(slab, channel + j, first),
              rows[j],
              0,
              count);
        }
      }
      case INPUT -> {
        for (int l = 0; l < count; l++) {
          MemorySegment.copy(
              slab.segment(), ValueLayout.JAVA_FLOAT, bytes(slab, first + l, channel), piece, 0, k);
          for (int j = 0; j < k; j++) {
            rows[j][l] = piece[j];
          }
        }
      }
    }
  }

  /** The reverse of {@link #gather}. */
  void scatter(float[][] rows, FloatMatrix slab, int first, int count) {
    switch (side) {
      case OUTPUT -> {
        for (int j = 0; j < k; j++) {
          MemorySegment.copy(
              rows[j],
              0,
              slab.segment(),
              ValueLayout.JAVA_FLOAT,
              bytes(slab, channel + j, first),
              count);
        }
      }
      case INPUT -> {
        for (int l = 0; l < count; l++) {
          for (int j = 0; j < k; j++) {
            piece[j] = rows[j][l];
          }
          MemorySegment.copy(
              piece, 0, slab.segment(), ValueLayout.JAVA_FLOAT, bytes(slab, first + l, channel), k);
        }
      }
    }
  }

  /** Codes of the same lanes into a slab of bytes with that many columns. */
  void scatter(byte[][] rows, MemorySegment slab, int columns, int first, int count) {
    switch (side) {
      case OUTPUT -> {
        for (int j = 0; j < k; j++) {
          MemorySegment.copy(
              rows[j],
              0,
              slab,
              ValueLayout.JAVA_BYTE,
              (long) (channel + j) * columns + first,
              count);
        }
      }
      case INPUT -> {
        for (int l = 0; l < count; l++) {
          for (int j = 0; j < k; j++) {
            codes[j] = rows[j][l];
          }
          MemorySegment.copy(
              codes, 0, slab, ValueLayout.JAVA_BYTE, (long) (first + l) * columns + channel, k);
        }
      }
    }
  }

  private static long bytes(FloatMatrix slab, int row, int column) {
    return Float.BYTES * ((long) row * slab.columns() + column);
  }
}

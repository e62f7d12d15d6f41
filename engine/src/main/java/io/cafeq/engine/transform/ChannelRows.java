package io.cafeq.engine.transform;

import io.cafeq.config.Side;
import io.cafeq.engine.memory.FloatMatrix;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Some channels of a matrix position by position, whichever way it is stored, in doubles: what
 * products over channels are made of.
 */
public final class ChannelRows {
  private final FloatMatrix matrix;
  private final Side side;
  private final int firstChannel;
  private final int channels;
  private float[] piece = new float[0];

  /**
   * Channels [firstChannel, firstChannel + channels) of a borrowed matrix whose channels are on
   * {@code side}.
   */
  public ChannelRows(FloatMatrix matrix, Side side, int firstChannel, int channels) {
    this.matrix = matrix;
    this.side = side;
    this.firstChannel = firstChannel;
    this.channels = channels;
  }

  public int positions() {
    return side == Side.OUTPUT ? matrix.columns() : matrix.rows();
  }

  /** Positions [first, first + count): to[position][channel]. */
  public void read(int first, int count, double[][] to) {
    int length = side == Side.OUTPUT ? count : channels;
    if (piece.length < length) {
      piece = new float[length];
    }
    switch (side) {
      case OUTPUT -> {
        for (int c = 0; c < channels; c++) {
          copy((long) (firstChannel + c) * matrix.columns() + first, count);
          for (int i = 0; i < count; i++) {
            to[i][c] = piece[i];
          }
        }
      }
      case INPUT -> {
        for (int i = 0; i < count; i++) {
          copy((long) (first + i) * matrix.columns() + firstChannel, channels);
          for (int c = 0; c < channels; c++) {
            to[i][c] = piece[c];
          }
        }
      }
    }
  }

  private void copy(long at, int count) {
    MemorySegment.copy(matrix.segment(), ValueLayout.JAVA_FLOAT, at * Float.BYTES, piece, 0, count);
  }
}

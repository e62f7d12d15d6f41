package io.cafeq.engine.transform;

import io.cafeq.config.Side;
import io.cafeq.config.TransformStorage;

/** The transform that a unit is to have. */
public sealed interface TransformSpec {
  /**
   * Bits that the stored transforms take for a unit of {@code rows} output channels (of all
   * tensors) and {@code columns}.
   */
  long bits(long rows, int columns);

  /** The fewest consecutive channels that are whole groups and whole blocks. */
  static long channelsTogether(int group, int block) {
    int divisor = group;
    for (int rest = block; rest != 0; ) {
      int next = divisor % rest;
      divisor = rest;
      rest = next;
    }
    return (long) group / divisor * block;
  }

  /** No transform. */
  record None() implements TransformSpec {
    @Override
    public long bits(long rows, int columns) {
      return 0;
    }
  }

  /**
   * Invertible blocks of {@code block} consecutive channels on one side, the last one smaller where
   * the channels do not divide. An output-side unit holds one tensor; an input-side unit may hold
   * several that read the same input.
   */
  record BlockDiagonal(Kind kind, Side side, int block, TransformStorage storage)
      implements TransformSpec {
    /** Where the blocks come from. */
    public enum Kind {
      LEARNED,
      ROTATION,
      HADAMARD
    }

    @Override
    public long bits(long rows, int columns) {
      long channels = side == Side.OUTPUT ? rows : columns;
      long whole = channels / block;
      int tail = (int) (channels % block);
      return whole * blockBits(block) + (tail == 0 ? 0 : blockBits(tail));
    }

    private long blockBits(int k) {
      if (kind == Kind.HADAMARD) {
        return k; // one sign a channel; the Hadamard matrix itself is known
      }
      return switch (storage) {
        case INT8 -> 8L * k * k + 16L * k;
        case BF16 -> 16L * k * k;
      };
    }
  }
}

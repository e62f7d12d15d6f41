package io.cafeq.engine.rounding;

import io.cafeq.config.Side;
import io.cafeq.engine.transform.BlockTransform;
import java.util.List;

/** The transforms that apply to one slab. */
public sealed interface SlabTransforms {
  /** No transform. */
  record None() implements SlabTransforms {}

  /**
   * Blocks in channel order that cover the slab's rows (output side) or all columns (input side).
   */
  record Blocks(Side side, List<BlockTransform> blocks) implements SlabTransforms {
    public Blocks {
      blocks = List.copyOf(blocks);
    }
  }
}

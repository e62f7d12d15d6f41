package io.cafeq.engine.quantize;

import io.cafeq.config.Side;
import io.cafeq.engine.plan.Part;
import io.cafeq.engine.rounding.SlabRows;
import io.cafeq.engine.transform.TransformSpec;
import java.util.ArrayList;
import java.util.List;

/**
 * How a unit is cut for work. Depends on shapes and treatment alone, never on memory, so that the
 * same unit gives the same bytes everywhere.
 */
final class SlabShape {
  private static final int WIDEST_STRIPE = 1024;

  private SlabShape() {}

  /** Rows of a slab: about a million weights, and whole blocks on the output side. */
  static int rows(TransformSpec transform, int columns, int totalRows) {
    int rows = SlabRows.of(columns);
    int whole =
        switch (transform) {
          case TransformSpec.None none -> rows;
          case TransformSpec.BlockDiagonal blocks ->
              blocks.side() == Side.OUTPUT
                  ? Math.max(1, rows / blocks.block()) * blocks.block()
                  : rows;
        };
    return Math.min(whole, totalRows);
  }

  /**
   * Sizes of consecutive blocks over that many channels; what is left over makes one smaller block,
   * or powers of two.
   */
  static List<Integer> blocks(TransformSpec.BlockDiagonal spec, int channels) {
    List<Integer> sizes = new ArrayList<>();
    int left = channels;
    while (left > 0) {
      int size = Math.min(spec.block(), left);
      if (spec.kind() == TransformSpec.BlockDiagonal.Kind.HADAMARD) {
        size = Integer.highestOneBit(size);
      }
      sizes.add(size);
      left -= size;
    }
    return sizes;
  }

  /**
   * Input channels that are learned together: the fewest that are whole blocks and whole groups, so
   * that no group depends on two problems. One block where that is too many; its problem is then
   * stated over whole rows.
   */
  static int stripe(Part.Stack stack, int block) {
    int group = stack.treatment().grid().group();
    if (group == 0) {
      return block;
    }
    long together = TransformSpec.channelsTogether(group, block);
    return together <= WIDEST_STRIPE ? (int) Math.min(together, stack.columns()) : block;
  }

  /** Whether a stripe holds whole groups. */
  static boolean holdsGroups(Part.Stack stack, int stripe) {
    int group = stack.treatment().grid().group();
    return group != 0 && stripe % group == 0;
  }
}

package io.cafeq.engine.quantize;

import io.cafeq.config.Side;
import io.cafeq.engine.checkpoint.LayoutKind;
import io.cafeq.engine.checkpoint.WeightTensor;
import io.cafeq.engine.compute.Compute;
import io.cafeq.engine.compute.RoundingShape;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.grid.SlabBuffers;
import io.cafeq.engine.memory.MemoryNeed;
import io.cafeq.engine.plan.Part;
import io.cafeq.engine.plan.Part.RowRange;
import io.cafeq.engine.transform.BlockTransform;
import io.cafeq.engine.transform.TransformSpec;
import io.cafeq.engine.transform.TransformSpec.BlockDiagonal;
import java.util.function.ToLongFunction;

/** What a pass over a stack takes. */
final class StackMemory {
  private StackMemory() {}

  /**
   * What a pass takes at most. Learning on the input side is over before anything is rounded.
   *
   * @param momentBytes that the moments of a range's input take; 0 where nothing is known of it
   */
  static PartMemory of(Part.Stack stack, Compute compute, ToLongFunction<RowRange> momentBytes) {
    int rows = mostRows(stack);
    int columns = stack.columns();
    GridSpec grid = stack.treatment().grid();
    long raw =
        stack.rows().stream().mapToLong(range -> rawBytes(range.tensor().weight())).max().orElse(0);
    int copies = stack.treatment().columnScales() ? 2 : 1;
    boolean known = stack.rows().stream().mapToLong(momentBytes).anyMatch(bytes -> bytes > 0);
    boolean plain = stack.treatment().transform() instanceof TransformSpec.None;
    MemoryNeed rounding =
        MemoryNeed.host(
                rows * (raw + copies * (long) Float.BYTES * columns)
                    + SlabBuffers.bytes(grid, rows, columns)
                    + StackMetrics.memoryNeeded(stack, momentBytes),
                0)
            .plus(
                compute
                    .backend()
                    .roundingNeed(
                        new RoundingShape(
                            rows,
                            columns,
                            PlainGrids.leastGroup(grid, stack.totalRows(), columns, stack.bits()),
                            !plain,
                            known)));
    MemoryNeed learning =
        TransformLearner.memoryNeeded(stack, compute.learner(), momentBytes)
            .max(
                MemoryNeed.host(
                    StackScales.memoryNeeded(
                        stack, stack.rows().stream().mapToLong(momentBytes).max().orElse(0)),
                    0));
    MemoryNeed blocks = blocksNeeded(stack, rows);
    boolean inTurns =
        stack.treatment().transform() instanceof BlockDiagonal spec && spec.side() == Side.INPUT;
    MemoryNeed most = inTurns ? learning.max(rounding) : learning.plus(rounding);
    return new PartMemory(learning, most.plus(blocks));
  }

  /** All finished blocks of the input side, or those of a slab of {@code rows}. */
  private static MemoryNeed blocksNeeded(Part.Stack stack, int rows) {
    return switch (stack.treatment().transform()) {
      case TransformSpec.None none -> MemoryNeed.NONE;
      case BlockDiagonal spec ->
          SlabShape.blocks(spec, spec.side() == Side.INPUT ? stack.columns() : rows).stream()
              .map(
                  k ->
                      spec.side() == Side.INPUT
                          ? MemoryNeed.host(
                              BlockTransform.nativeBytes(k), BlockTransform.heapBytes(k))
                          : MemoryNeed.host(
                              0, BlockTransform.nativeBytes(k) + BlockTransform.heapBytes(k)))
              .reduce(MemoryNeed.NONE, MemoryNeed::plus);
    };
  }

  /** Of one row that is read as it is stored; other layouts are read by the reader. */
  static long rawBytes(WeightTensor weight) {
    return weight.layout().kind() == LayoutKind.PLAIN
        ? (long) weight.columns() * weight.info().dtype().bytes()
        : 0;
  }

  static int mostRows(Part.Stack stack) {
    return stack.rows().stream()
        .mapToInt(
            range -> SlabShape.rows(stack.treatment().transform(), stack.columns(), range.count()))
        .max()
        .orElseThrow();
  }
}

package io.cafeq.engine.quantize;

import io.cafeq.config.ScaleStorage;
import io.cafeq.config.Side;
import io.cafeq.engine.checkpoint.TensorReader;
import io.cafeq.engine.compute.BlockMaker;
import io.cafeq.engine.compute.ComputeLane;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.plan.Part;
import io.cafeq.engine.plan.Treatment;
import io.cafeq.engine.transform.BlockTransform;
import io.cafeq.engine.transform.LearnProblem;
import io.cafeq.engine.transform.Seeds;
import io.cafeq.engine.transform.TransformSpec.BlockDiagonal;
import io.cafeq.engine.transform.TransformSpec;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;

/** Makes the blocks of one stack, by learning or at random. Borrows the lane and the reader. */
final class TransformLearner {
  private final Part.Stack stack;
  private final BlockDiagonal spec;
  private final TensorReader reader;
  private final StopFlag stop;
  private final BlockMaker maker;

  TransformLearner(Part.Stack stack, BlockDiagonal spec, ComputeLane lane, TensorReader reader, StopFlag stop) {
    this.stack = stack;
    this.spec = spec;
    Treatment treatment = stack.treatment();
    maker = new BlockMaker(lane, spec, treatment.loss(), treatment.steps(), this::seed, stop);
    this.reader = reader;
    this.stop = stop;
  }

  /** All blocks of the input side, stripe by stripe. Reads the tensors' columns only where something is learned. */
  List<BlockTransform> inputBlocks(Progress progress) {
    List<Integer> sizes = SlabShape.blocks(spec, stack.columns());
    int width = SlabShape.stripe(stack, spec.block());
    List<BlockTransform> blocks = new ArrayList<>();
    int index = 0;
    for (int first = 0; first < stack.columns(); ) {
      List<Integer> stripe = new ArrayList<>();
      int columns = 0;
      while (index < sizes.size() && columns + sizes.get(index) <= width) {
        stripe.add(sizes.get(index));
        columns += sizes.get(index++);
      }
      if (spec.kind() == BlockDiagonal.Kind.LEARNED) {
        try (Arena arena = Arena.ofConfined()) {
          blocks.addAll(learn(readStripe(arena, first, columns), first, stripe));
        }
      } else {
        blocks.addAll(maker.random(first, stripe));
      }
      first += columns;
      progress.advanced((long) columns * stack.totalRows());
    }
    return blocks;
  }

  /** The blocks of some rows of the output side, {@code firstRow} on a block's edge. */
  List<BlockTransform> outputBlocks(FloatMatrix rows, int firstRow) {
    List<BlockTransform> blocks = new ArrayList<>();
    int done = 0;
    for (int size : SlabShape.blocks(spec, rows.rows())) {
      if (spec.kind() == BlockDiagonal.Kind.LEARNED) {
        LearnProblem problem =
            new LearnProblem.Rows(rows.slice(done, size), stack.treatment().grid().group(), symmetric(), false, false);
        blocks.addAll(maker.learn(problem, firstRow + done));
      } else {
        blocks.addAll(maker.random(firstRow + done, List.of(size)));
      }
      done += size;
    }
    return blocks;
  }

  private FloatMatrix readStripe(Arena arena, int firstColumn, int columns) {
    FloatMatrix all = FloatMatrix.allocate(arena, Math.toIntExact(stack.totalRows()), columns);
    int row = 0;
    for (Part.RowRange range : stack.rows()) {
      stop.check();
      reader.readFloats(range.tensor().weight(), range.first(), firstColumn, all.slice(row, range.count()));
      row += range.count();
    }
    return all;
  }

  private List<BlockTransform> learn(FloatMatrix columns, int first, List<Integer> sizes) {
    if (SlabShape.holdsGroups(stack, columns.columns())) {
      return maker.learn(
          new LearnProblem.Stripe(columns, sizes, stack.treatment().grid().group(), symmetric()), first);
    }
    // Groups longer than any stripe: Eq. (4) on the transpose, then equal ranges of the rows of V.
    return maker.learnBalanced(new LearnProblem.Rows(columns, 0, symmetric(), true, true), first);
  }

  private boolean symmetric() {
    return stack.treatment().grid().storage() == ScaleStorage.SYMMETRIC;
  }

  private long seed(int channel) {
    Part.RowRange first = stack.rows().getFirst();
    String place = spec.side() == Side.OUTPUT || first.first() == 0 ? "" : "-" + first.first();
    return Seeds.of(
        stack.treatment().seed(), first.tensor().name(), channel, spec.side().text() + "-transform" + place);
  }

  /** Native bytes that learning takes at most. */
  static long memoryNeeded(Part.Stack stack) {
    return switch (stack.treatment().transform()) {
      case TransformSpec.None none -> 0;
      case BlockDiagonal blocks when blocks.kind() != BlockDiagonal.Kind.LEARNED -> 0;
      case BlockDiagonal blocks -> {
        long entries =
            switch (blocks.side()) {
              case OUTPUT -> (long) blocks.block() * stack.columns();
              case INPUT -> SlabShape.stripe(stack, blocks.block()) * stack.totalRows();
            };
        // The rectangle, its copy in tiles (the last one padded), and the objective's own matrices.
        yield 2 * Float.BYTES * entries + (8L << 20);
      }
    };
  }
}

package io.cafeq.engine.quantize;

import io.cafeq.config.ScaleStorage;
import io.cafeq.config.Side;
import io.cafeq.engine.checkpoint.TensorReader;
import io.cafeq.engine.compute.ComputeLane;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.plan.Part;
import io.cafeq.engine.plan.Treatment;
import io.cafeq.engine.transform.BlockLearner;
import io.cafeq.engine.transform.BlockTransform;
import io.cafeq.engine.transform.LearnProblem;
import io.cafeq.engine.transform.Objective;
import io.cafeq.engine.transform.Orthogonal;
import io.cafeq.engine.transform.Seeds;
import io.cafeq.engine.transform.SquareMatrices;
import io.cafeq.engine.transform.StoredTransform;
import io.cafeq.engine.transform.StoredTransforms;
import io.cafeq.engine.transform.TransformSpec.BlockDiagonal;
import io.cafeq.engine.transform.TransformSpec;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;

/** Makes the blocks of one stack, by learning or at random. Borrows the lane and the reader. */
final class TransformLearner {
  private final Part.Stack stack;
  private final BlockDiagonal spec;
  private final ComputeLane lane;
  private final TensorReader reader;
  private final StopFlag stop;

  TransformLearner(Part.Stack stack, BlockDiagonal spec, ComputeLane lane, TensorReader reader, StopFlag stop) {
    this.stack = stack;
    this.spec = spec;
    this.lane = lane;
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
        blocks.addAll(random(first, stripe));
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
        blocks.addAll(solve(problem, firstRow + done, false));
      } else {
        blocks.addAll(random(firstRow + done, List.of(size)));
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
      return solve(
          new LearnProblem.Stripe(columns, sizes, stack.treatment().grid().group(), symmetric()), first, false);
    }
    // Groups longer than any stripe: Eq. (4) on the transpose, then equal ranges of the rows of V.
    return solve(new LearnProblem.Rows(columns, 0, symmetric(), true, true), first, true);
  }

  private List<BlockTransform> solve(LearnProblem problem, int firstChannel, boolean balance) {
    Treatment treatment = stack.treatment();
    List<double[]> starts = new ArrayList<>();
    int channel = firstChannel;
    for (int k : problem.blocks()) {
      starts.add(Orthogonal.rotation(k, seed(channel)));
      channel += k;
    }
    List<BlockTransform> blocks = new ArrayList<>();
    try (Objective objective = lane.objective(problem)) {
      List<double[]> learned = BlockLearner.learn(
          objective, problem.blocks(), starts, treatment.loss(), treatment.steps(), stop);
      if (balance) {
        balance(learned.getFirst(), objective.hardShares(learned));
      }
      channel = firstChannel;
      for (int b = 0; b < learned.size(); b++) {
        int k = problem.blocks().get(b);
        blocks.add(finish(channel, k, SquareMatrices.invert(learned.get(b), k), starts.get(b)));
        channel += k;
      }
    }
    return blocks;
  }

  /** Divides the rows of M by the ranges that they give. */
  private static void balance(double[] m, double[] shares) {
    int k = shares.length;
    for (int j = 0; j < k; j++) {
      double range = Math.sqrt(shares[j]);
      for (int i = j * k; range > 0 && i < (j + 1) * k; i++) {
        m[i] /= range;
      }
    }
  }

  private List<BlockTransform> random(int firstChannel, List<Integer> sizes) {
    List<BlockTransform> blocks = new ArrayList<>();
    int channel = firstChannel;
    for (int k : sizes) {
      blocks.add(
          switch (spec.kind()) {
            case HADAMARD -> usable(StoredTransforms.hadamard(spec.side(), channel, k, seed(channel)));
            case ROTATION, LEARNED -> rotation(channel, k, Orthogonal.rotation(k, seed(channel)));
          });
      channel += k;
    }
    return blocks;
  }

  /** What was learned, or the start where rounding to the storage made it singular. */
  private BlockTransform finish(int channel, int k, double[] inverse, double[] start) {
    if (SquareMatrices.isFinite(inverse)) {
      StoredTransform stored = StoredTransforms.store(spec.side(), channel, k, inverse, spec.storage());
      return BlockTransform.of(stored).orElseGet(() -> rotation(channel, k, start));
    }
    return rotation(channel, k, start);
  }

  private BlockTransform rotation(int channel, int k, double[] rotation) {
    return usable(
        StoredTransforms.store(spec.side(), channel, k, SquareMatrices.transpose(rotation, k), spec.storage()));
  }

  private static BlockTransform usable(StoredTransform stored) {
    return BlockTransform.of(stored)
        .orElseThrow(() -> new IllegalStateException("a rotation of size " + stored.k() + " became singular"));
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

package io.cafeq.engine.quantize;

import io.cafeq.config.ScaleStorage;
import io.cafeq.config.Side;
import io.cafeq.engine.compute.BlockMaker;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.memory.Magnitudes;
import io.cafeq.engine.plan.Part;
import io.cafeq.engine.plan.Treatment;
import io.cafeq.engine.transform.BlockTransform;
import io.cafeq.engine.transform.ChannelMetric;
import io.cafeq.engine.transform.LearnProblem;
import io.cafeq.engine.transform.Seeds;
import io.cafeq.engine.transform.TransformSpec;
import io.cafeq.engine.transform.TransformSpec.BlockDiagonal;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Makes the blocks of one stack, by learning or at random. Borrows the workplace. */
final class TransformLearner {
  private final Workplace place;
  private final Part.Stack stack;
  private final BlockDiagonal spec;
  private final BlockMaker maker;

  TransformLearner(Workplace place, Part.Stack stack, BlockDiagonal spec) {
    this.place = place;
    this.stack = stack;
    this.spec = spec;
    Treatment treatment = stack.treatment();
    maker =
        new BlockMaker(
            place.lane(), spec, treatment.loss(), treatment.steps(), this::seed, place.stop());
  }

  /**
   * All blocks of the input side, stripe by stripe, in the metric of the inputs where it is known
   * and counts. Reads the tensors' columns only where something is learned.
   */
  List<BlockTransform> inputBlocks(Progress progress) {
    try (Arena arena = Arena.ofConfined()) {
      boolean counts =
          spec.kind() == BlockDiagonal.Kind.LEARNED
              && LearningMetrics.countFor(stack.treatment().rounding());
      Optional<LearningMetrics> metrics =
          StackInput.shared(stack.rows(), stack.columns(), place.inputs())
              .filter(input -> counts)
              .flatMap(input -> place.statistics().read(input, arena))
              .map(
                  moments ->
                      new LearningMetrics(moments, place.damping(), stack.treatment().rounding()));
      return inputBlocks(metrics, progress);
    }
  }

  private List<BlockTransform> inputBlocks(Optional<LearningMetrics> metrics, Progress progress) {
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
          int channel = first;
          ChannelMetric metric =
              metrics.map(known -> known.blocks(channel, stripe)).orElse(ChannelMetric.NONE);
          blocks.addAll(learn(readStripe(arena, first, columns), first, stripe, metric));
        }
      } else {
        blocks.addAll(maker.random(first, stripe));
      }
      first += columns;
      progress.advanced((long) columns * stack.totalRows());
    }
    return blocks;
  }

  /**
   * The blocks of some rows of the output side, {@code firstRow} on a block's edge. Rows of unusual
   * size are divided by a power of two while their block is learned.
   *
   * @param groupWeights of the range that the rows are in
   */
  List<BlockTransform> outputBlocks(FloatMatrix rows, int firstRow, double[] groupWeights) {
    int group = stack.treatment().grid().group();
    List<BlockTransform> blocks = new ArrayList<>();
    int done = 0;
    for (int size : SlabShape.blocks(spec, rows.rows())) {
      if (spec.kind() == BlockDiagonal.Kind.LEARNED) {
        FloatMatrix own = rows.slice(done, size);
        int exponent = Magnitudes.normalise(own);
        LearnProblem.Rows problem = new LearnProblem.Rows(own, group, symmetric(), false, false);
        blocks.addAll(maker.learn(problem.weighted(groupWeights), firstRow + done));
        Magnitudes.multiply(own, exponent);
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
      place.stop().check();
      place
          .reader()
          .readFloats(
              range.tensor().weight(), range.first(), firstColumn, all.slice(row, range.count()));
      row += range.count();
    }
    // No block depends on the size of the weights, but the learner's floats end at some.
    Magnitudes.normalise(all);
    return all;
  }

  private List<BlockTransform> learn(
      FloatMatrix columns, int first, List<Integer> sizes, ChannelMetric metric) {
    if (SlabShape.holdsGroups(stack, columns.columns())) {
      return maker.learn(
          new LearnProblem.Stripe(
              columns, sizes, stack.treatment().grid().group(), symmetric(), metric),
          first);
    }
    // Groups longer than any stripe: Eq. (4) on the transpose, then equal ranges of the rows of V.
    return maker.learnBalanced(
        new LearnProblem.Rows(columns, 0, symmetric(), true, true).in(metric), first);
  }

  private boolean symmetric() {
    return stack.treatment().grid().storage() == ScaleStorage.SYMMETRIC;
  }

  private long seed(int channel) {
    Part.RowRange first = stack.rows().getFirst();
    String place = spec.side() == Side.OUTPUT || first.first() == 0 ? "" : "-" + first.first();
    return Seeds.of(
        stack.treatment().seed(),
        first.tensor().name(),
        channel,
        spec.side().text() + "-transform" + place);
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

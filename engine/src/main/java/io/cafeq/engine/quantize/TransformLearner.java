package io.cafeq.engine.quantize;

import io.cafeq.config.Side;
import io.cafeq.engine.compute.BlockMaker;
import io.cafeq.engine.compute.Learner;
import io.cafeq.engine.compute.LearningShape;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.memory.Magnitudes;
import io.cafeq.engine.memory.MemoryNeed;
import io.cafeq.engine.plan.Part;
import io.cafeq.engine.plan.Treatment;
import io.cafeq.engine.rounding.ScaledMoments;
import io.cafeq.engine.statistics.InputMoments;
import io.cafeq.engine.transform.ChannelMetric;
import io.cafeq.engine.transform.ColumnScales;
import io.cafeq.engine.transform.LearnProblem;
import io.cafeq.engine.transform.Seeds;
import io.cafeq.engine.transform.TransformSpec;
import io.cafeq.engine.transform.TransformSpec.BlockDiagonal;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.ToLongFunction;
import org.jspecify.annotations.Nullable;

/**
 * Asks for the blocks of one stack, learned or at random. Borrows the workplace; owns the moments
 * of the input from the first block that is learned in them until it is closed. Not thread-safe.
 */
final class TransformLearner implements AutoCloseable {
  private final Workplace place;
  private final Part.Stack stack;
  private final BlockDiagonal spec;
  private final Optional<ColumnScales> scales;
  private final BlockMaker maker;
  private @Nullable Known known;

  /** What is known of the input that all columns are. */
  private record Known(Arena arena, Optional<LearningMetrics> metrics) {}

  /**
   * @param scales of the input channels, under which blocks are learned
   */
  TransformLearner(
      Workplace place, Part.Stack stack, BlockDiagonal spec, Optional<ColumnScales> scales) {
    this.place = place;
    this.scales = scales;
    this.stack = stack;
    this.spec = spec;
    Treatment treatment = stack.treatment();
    maker =
        new BlockMaker(
            place.learner(), spec, treatment.loss(), treatment.steps(), this::seed, place.stop());
  }

  /**
   * All blocks of the input side, stripe by stripe, in the metric of the inputs where it is known
   * and counts. Reads the tensors' columns only where something is learned.
   */
  BlockQueue inputBlocks() {
    List<BlockMaker.Wanted> stripes = new ArrayList<>();
    int first = 0;
    for (LearningShape.Blocks shape : stripes(stack, spec)) {
      int channel = first;
      // Groups longer than any stripe: Eq. (4) on the transpose, then equal ranges of the rows of
      // V.
      boolean balanced = !SlabShape.holdsGroups(stack, shape.channels());
      stripes.add(
          new BlockMaker.Wanted(
              channel,
              shape,
              balanced,
              arena ->
                  balanced
                      ? new LearnProblem.Rows(
                              readStripe(arena, channel, shape.channels()),
                              0,
                              symmetric(),
                              true,
                              true)
                          .in(metric(channel, shape.sizes()))
                      : new LearnProblem.Stripe(
                          readStripe(arena, channel, shape.channels()),
                          shape.sizes(),
                          stack.treatment().grid().group(),
                          symmetric(),
                          metric(channel, shape.sizes()))));
      first += shape.channels();
    }
    return queue(stripes);
  }

  /**
   * The blocks of some rows of the output side. Rows of unusual size are divided by a power of two
   * before they are learned.
   *
   * @param groupWeights of the range
   */
  BlockQueue outputBlocks(Part.RowRange range, double[] groupWeights) {
    List<BlockMaker.Wanted> blocks = new ArrayList<>();
    int group = stack.treatment().grid().group();
    int done = 0;
    for (LearningShape.Blocks shape : blocks(stack, spec, range)) {
      int first = range.first() + done;
      blocks.add(
          new BlockMaker.Wanted(
              first,
              shape,
              false,
              arena ->
                  new LearnProblem.Rows(
                          readRows(arena, range, first, shape.channels()),
                          group,
                          symmetric(),
                          false,
                          false)
                      .weighted(groupWeights)));
      done += shape.channels();
    }
    return queue(blocks);
  }

  private BlockQueue queue(List<BlockMaker.Wanted> wanted) {
    return spec.kind() == BlockDiagonal.Kind.LEARNED
        ? BlockQueue.learned(maker, wanted)
        : BlockQueue.random(maker, wanted);
  }

  private ChannelMetric metric(int firstChannel, List<Integer> sizes) {
    Known present = known;
    if (present == null) {
      // Owned before anything is read into it, so that a failure leaves nothing behind.
      Arena arena = Arena.ofConfined();
      known = new Known(arena, Optional.empty());
      present = new Known(arena, metrics(arena));
      known = present;
    }
    return present
        .metrics()
        .map(metrics -> metrics.blocks(firstChannel, sizes))
        .orElse(ChannelMetric.NONE);
  }

  private Optional<LearningMetrics> metrics(Arena arena) {
    boolean counts = LearningMetrics.countFor(stack.treatment().rounding());
    return StackInput.shared(stack.rows(), stack.columns(), place.inputs())
        .filter(input -> counts)
        .flatMap(input -> place.statistics().read(input, arena))
        .map(this::metrics);
  }

  private LearningMetrics metrics(InputMoments moments) {
    scales.ifPresent(
        each -> ScaledMoments.apply(moments, place.damping() * moments.meanDiagonal(), each));
    return new LearningMetrics(
        moments, scales.isPresent() ? 0 : place.damping(), stack.treatment().rounding());
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
    scales.ifPresent(each -> each.multiply(all, firstColumn));
    // No block depends on the size of the weights, but the learner's floats end at some.
    Magnitudes.normalise(all);
    return all;
  }

  private FloatMatrix readRows(Arena arena, Part.RowRange range, int first, int count) {
    FloatMatrix rows = FloatMatrix.allocate(arena, count, stack.columns());
    place.reader().readFloats(range.tensor().weight(), first, 0, rows);
    scales.ifPresent(each -> each.multiply(rows, 0));
    Magnitudes.normalise(rows);
    return rows;
  }

  private boolean symmetric() {
    return stack.treatment().grid().storage().isSymmetric();
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

  /** The stripes of the input side in order. */
  private static List<LearningShape.Blocks> stripes(Part.Stack stack, BlockDiagonal spec) {
    int width = SlabShape.stripe(stack, spec.block());
    List<LearningShape.Blocks> stripes = new ArrayList<>();
    List<Integer> stripe = new ArrayList<>();
    int columns = 0;
    for (int size : SlabShape.blocks(spec, stack.columns())) {
      if (columns + size > width) {
        stripes.add(shape(stack.totalRows(), stripe));
        stripe.clear();
        columns = 0;
      }
      stripe.add(size);
      columns += size;
    }
    stripes.add(shape(stack.totalRows(), stripe));
    return stripes;
  }

  /** The blocks of the output side of a range, slab by slab. */
  private static List<LearningShape.Blocks> blocks(
      Part.Stack stack, BlockDiagonal spec, Part.RowRange range) {
    int slabRows = SlabShape.rows(spec, stack.columns(), range.count());
    List<LearningShape.Blocks> blocks = new ArrayList<>();
    for (int done = 0; done < range.count(); done += slabRows) {
      SlabShape.blocks(spec, Math.min(slabRows, range.count() - done))
          .forEach(size -> blocks.add(shape(stack.columns(), List.of(size))));
    }
    return blocks;
  }

  private static LearningShape.Blocks shape(long positions, List<Integer> sizes) {
    long channels = sizes.stream().mapToInt(size -> size).sum();
    return new LearningShape.Blocks(positions, sizes, Float.BYTES * positions * channels);
  }

  /**
   * What learning takes at most, what reading takes included, on the input side the moments too.
   *
   * @param momentBytes that the moments of a range's input take; 0 where nothing is known of it
   */
  static MemoryNeed memoryNeeded(
      Part.Stack stack, Learner learner, ToLongFunction<Part.RowRange> momentBytes) {
    return switch (stack.treatment().transform()) {
      case BlockDiagonal blocks when blocks.kind() == BlockDiagonal.Kind.LEARNED ->
          switch (blocks.side()) {
            case INPUT ->
                learner
                    .need(List.copyOf(stripes(stack, blocks)))
                    .plus(
                        MemoryNeed.host(
                            stack.rows().stream().mapToLong(momentBytes).max().orElse(0), 0));
            case OUTPUT ->
                stack.rows().stream()
                    .map(range -> learner.need(List.copyOf(blocks(stack, blocks, range))))
                    .reduce(MemoryNeed.NONE, MemoryNeed::max);
          };
      case BlockDiagonal drawn -> MemoryNeed.NONE;
      case TransformSpec.None none -> MemoryNeed.NONE;
    };
  }

  @Override
  public void close() {
    Known present = known;
    known = null;
    if (present != null) {
      present.arena().close();
    }
  }
}

package io.cafeq.engine.quantize;

import io.cafeq.config.Side;
import io.cafeq.engine.block.UnitFileWriter;
import io.cafeq.engine.checkpoint.LayoutKind;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.checkpoint.WeightTensor;
import io.cafeq.engine.grid.EncodedSlab;
import io.cafeq.engine.grid.SlabBuffers;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.plan.Part;
import io.cafeq.engine.plan.Part.RowRange;
import io.cafeq.engine.plan.Treatment;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.rounding.InputMetric;
import io.cafeq.engine.rounding.LaneSlabEncoder;
import io.cafeq.engine.rounding.RoundingRule;
import io.cafeq.engine.rounding.SlabTransforms;
import io.cafeq.engine.transform.BlockTransform;
import io.cafeq.engine.transform.Seeds;
import io.cafeq.engine.transform.TransformSpec;
import io.cafeq.engine.transform.TransformSpec.BlockDiagonal;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.function.ToLongFunction;
import org.jspecify.annotations.Nullable;

/**
 * One pass over a stack: input-side transforms are made first, then slab after slab is read,
 * hashed, given its output-side transforms, rounded and written, while plain rounding on a few
 * grids is measured on the way. Borrows everything that it is given.
 */
final class StackWork implements PartWork {
  /** Of a unit's progress, what learning counts for; it takes far longer than rounding. */
  private static final double LEARNING_SHARE = 0.9;

  private final Workplace place;
  private final Unit.Quantized unit;
  private final int part;
  private final Part.Stack stack;
  private final Treatment treatment;
  private final Progress progress;
  private final StackBaselines baselines;
  private @Nullable SourceBytes source;

  /**
   * @param part the stack's place among the unit's parts
   */
  StackWork(Workplace place, Unit.Quantized unit, int part, Progress progress) {
    this.place = place;
    this.unit = unit;
    this.part = part;
    this.progress = progress;
    stack = (Part.Stack) unit.parts().get(part);
    treatment = stack.treatment();
    baselines = new StackBaselines(stack, place.baselines(), place.lane().encoder());
  }

  @Override
  public Outcome write(UnitFileWriter writer) {
    List<BlockTransform> inputBlocks = List.of();
    if (treatment.transform() instanceof BlockDiagonal blocks && blocks.side() == Side.INPUT) {
      inputBlocks =
          learner(blocks)
              .inputBlocks(weights -> progress.advanced((long) (weights * LEARNING_SHARE)));
      String key = Sections.key(unit, part, stack.rows().getFirst(), Side.INPUT);
      inputBlocks.forEach(block -> writer.writeTransform(key, block.stored().orElseThrow()));
    }
    try (Arena arena = Arena.ofConfined();
        StackMetrics metrics = new StackMetrics(place, inputBlocks)) {
      Room room = new Room(arena, stack);
      for (RowRange range : stack.rows()) {
        rows(writer, range, inputBlocks, metrics.of(range), room);
      }
    }
    return baselines.outcome();
  }

  private TransformLearner learner(BlockDiagonal blocks) {
    return new TransformLearner(place, stack, blocks);
  }

  /** For learning on the output side. */
  private double[] groupWeights(InputMetric ofWeights) {
    return ofWeights.isNone()
        ? new double[0]
        : LearningMetrics.groupWeights(ofWeights.diagonal(), treatment.grid().group());
  }

  /** Buffers for one slab of any range. */
  private record Room(MemorySegment bytes, FloatMatrix weights, SlabBuffers buffers) {
    private Room(Arena arena, Part.Stack stack) {
      int rows = mostRows(stack);
      int columns = stack.columns();
      long raw =
          stack.rows().stream()
              .mapToLong(range -> rawBytes(range.tensor().weight()))
              .max()
              .orElse(0);
      this(
          arena.allocate(Math.max(1, rows * raw), 64),
          FloatMatrix.allocate(arena, rows, columns),
          new SlabBuffers(arena, stack.treatment().grid(), rows, columns));
    }
  }

  /** Of one row that is read as it is stored; other layouts are read by the reader. */
  private static long rawBytes(WeightTensor weight) {
    return weight.layout().kind() == LayoutKind.PLAIN
        ? (long) weight.columns() * weight.info().dtype().bytes()
        : 0;
  }

  private static int mostRows(Part.Stack stack) {
    return stack.rows().stream()
        .mapToInt(
            range -> SlabShape.rows(stack.treatment().transform(), stack.columns(), range.count()))
        .max()
        .orElseThrow();
  }

  private void rows(
      UnitFileWriter writer,
      RowRange range,
      List<BlockTransform> inputBlocks,
      StackMetrics.Metrics metrics,
      Room room) {
    WeightTensor weight = range.tensor().weight();
    int columns = weight.columns();
    long roundingSeed = Seeds.of(treatment.seed(), weight.name(), 0, "rounding");
    int slabRows = SlabShape.rows(treatment.transform(), columns, range.count());
    int expert = weight.isStack() ? range.expert() : -1;
    double[] groupWeights = groupWeights(metrics.ofWeights());
    int expertRow = weight.isStack() ? range.expert() * weight.rows() : 0;
    for (int done = 0; done < range.count(); done += slabRows) {
      place.stop().check();
      int rows = Math.min(slabRows, range.count() - done);
      int first = range.first() + done;
      FloatMatrix slab = room.weights().slice(0, rows);
      read(weight, first, slab, room);
      SlabTransforms transforms = transforms(writer, range, inputBlocks, groupWeights, slab, first);
      RoundingRule rule = RoundingRule.of(treatment.rounding(), roundingSeed, first);
      EncodedSlab encoded =
          place
              .lane()
              .encoder()
              .encode(slab, treatment.grid(), transforms, metrics.ofValues(), rule, room.buffers());
      writer.writeSlab(weight.name(), expert, first - expertRow, encoded);
      baselines.add(done / slabRows, slab, metrics.ofWeights(), rule, encoded);
      progress.advanced(
          slab.elements()
              - (inputBlocks.isEmpty() ? 0 : (long) (slab.elements() * LEARNING_SHARE)));
    }
  }

  /** Rows that follow one another from the first of a tensor to its last are hashed on the way. */
  private void read(WeightTensor weight, int first, FloatMatrix slab, Room room) {
    TensorInfo info = weight.info();
    if (rawBytes(weight) == 0) {
      place.reader().readFloats(weight, first, 0, slab);
      return;
    }
    if (first == 0) {
      source = new SourceBytes(place.checkpoint(), info);
    }
    long offset = first * rawBytes(weight);
    MemorySegment raw = room.bytes().asSlice(0, slab.rows() * rawBytes(weight));
    SourceBytes bytes = source;
    if (bytes != null && bytes.isAt(info, offset)) {
      bytes.next(raw);
      if (bytes.isComplete()) {
        place.hashes().put(info, bytes.sha256());
        source = null;
      }
    } else {
      place.checkpoint().read(info, offset, raw);
    }
    place.reader().toFloats(info, first, raw, slab);
  }

  private SlabTransforms transforms(
      UnitFileWriter writer,
      RowRange range,
      List<BlockTransform> inputBlocks,
      double[] groupWeights,
      FloatMatrix slab,
      int firstRow) {
    return switch (treatment.transform()) {
      case TransformSpec.None none -> new SlabTransforms.None();
      case BlockDiagonal blocks ->
          switch (blocks.side()) {
            case INPUT -> new SlabTransforms.Blocks(Side.INPUT, inputBlocks);
            case OUTPUT -> {
              List<BlockTransform> made =
                  learner(blocks).outputBlocks(slab, firstRow, groupWeights);
              String key = Sections.key(unit, part, range, Side.OUTPUT);
              made.forEach(block -> writer.writeTransform(key, block.stored().orElseThrow()));
              yield new SlabTransforms.Blocks(Side.OUTPUT, made);
            }
          };
    };
  }

  /**
   * Native bytes that a pass takes at most.
   *
   * @param momentBytes that the moments of a range's input take; 0 where nothing is known of it
   */
  static long memoryNeeded(Part.Stack stack, ToLongFunction<RowRange> momentBytes) {
    int rows = mostRows(stack);
    int columns = stack.columns();
    long raw =
        stack.rows().stream().mapToLong(range -> rawBytes(range.tensor().weight())).max().orElse(0);
    boolean plain = stack.treatment().transform() instanceof TransformSpec.None;
    return rows * (raw + (long) Float.BYTES * columns)
        + (plain ? 0 : LaneSlabEncoder.scratchBytes(rows, columns))
        + SlabBuffers.bytes(stack.treatment().grid(), rows, columns)
        + StackMetrics.memoryNeeded(stack, rows, momentBytes)
        + TransformLearner.memoryNeeded(stack);
  }
}

package io.cafeq.engine.quantize;

import io.cafeq.config.Side;
import io.cafeq.engine.block.UnitFileWriter;
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
import io.cafeq.engine.rounding.RoundingRule;
import io.cafeq.engine.rounding.SlabTransforms;
import io.cafeq.engine.transform.BlockTransform;
import io.cafeq.engine.transform.ColumnScales;
import io.cafeq.engine.transform.Seeds;
import io.cafeq.engine.transform.TransformSpec;
import io.cafeq.engine.transform.TransformSpec.BlockDiagonal;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
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
  private Optional<ColumnScales> scales = Optional.empty();
  private Optional<ScaledErrors> scaledErrors = Optional.empty();
  private @Nullable SourceBytes source;
  private @Nullable TransformLearner asker;
  private @Nullable BlockQueue queue;

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
  public void begin() {
    scales = StackScales.of(place, stack);
    scaledErrors = scales.map(ScaledErrors::new);
    if (treatment.transform() instanceof BlockDiagonal blocks) {
      TransformLearner made = new TransformLearner(place, stack, blocks, scales);
      asker = made;
      RowRange first = stack.rows().getFirst();
      switch (blocks.side()) {
        case INPUT -> queue = made.inputBlocks();
        case OUTPUT -> {
          // Where inputs are known, how much groups count is known once their metric is made.
          if (StackInput.of(first, place.inputs()).map(place.statistics()::bytes).orElse(0L) == 0) {
            queue = made.outputBlocks(first, new double[0]);
          }
        }
      }
    }
  }

  private TransformLearner asker() {
    return Objects.requireNonNull(asker, "begin comes before write");
  }

  @Override
  public Outcome write(UnitFileWriter writer) {
    scales.ifPresent(
        each ->
            writer.writeColumnScales(
                Sections.key(unit, part, stack.rows().getFirst(), Side.INPUT), each));
    try (Arena arena = Arena.ofConfined()) {
      List<BlockTransform> inputBlocks = inputBlocks(writer, arena);
      try (StackMetrics metrics = new StackMetrics(place, scales, inputBlocks)) {
        Room room = new Room(arena, stack);
        for (RowRange range : stack.rows()) {
          rows(writer, range, inputBlocks, metrics.of(range), room);
        }
      }
    }
    return baselines.outcome();
  }

  /** Takes all blocks of the input side into the arena, writes them, and ends learning. */
  private List<BlockTransform> inputBlocks(UnitFileWriter writer, Arena arena) {
    if (!(treatment.transform() instanceof BlockDiagonal spec) || spec.side() == Side.OUTPUT) {
      return List.of();
    }
    BlockQueue asked = Objects.requireNonNull(queue, "begin comes before write");
    String key = Sections.key(unit, part, stack.rows().getFirst(), Side.INPUT);
    List<BlockTransform> blocks = new ArrayList<>();
    while (!asked.isEmpty()) {
      List<BlockTransform> next = asked.next();
      long weights = stack.totalRows() * next.stream().mapToInt(BlockTransform::k).sum();
      progress.advanced((long) (weights * LEARNING_SHARE));
      next.forEach(block -> blocks.add(block.in(arena)));
    }
    close();
    blocks.forEach(block -> writer.writeTransform(key, block.stored().orElseThrow()));
    return blocks;
  }

  @Override
  public void close() {
    try (BlockQueue asked = queue;
        TransformLearner known = asker) {
      queue = null;
      asker = null;
    }
  }

  /** For learning on the output side. */
  private double[] groupWeights(InputMetric ofWeights) {
    return ofWeights.isNone()
        ? new double[0]
        : LearningMetrics.groupWeights(ofWeights.diagonal(), treatment.grid().group());
  }

  /**
   * Buffers for one slab of any range.
   *
   * @param scaled the weights times the column scales, in the end decoded; the weights themselves
   *     where there are no scales
   */
  private record Room(
      MemorySegment bytes, FloatMatrix weights, FloatMatrix scaled, SlabBuffers buffers) {
    private Room(Arena arena, Part.Stack stack) {
      int rows = StackMemory.mostRows(stack);
      int columns = stack.columns();
      long raw =
          stack.rows().stream()
              .mapToLong(range -> StackMemory.rawBytes(range.tensor().weight()))
              .max()
              .orElse(0);
      FloatMatrix weights = FloatMatrix.allocate(arena, rows, columns);
      this(
          arena.allocate(Math.max(1, rows * raw), 64),
          weights,
          stack.treatment().columnScales() ? FloatMatrix.allocate(arena, rows, columns) : weights,
          new SlabBuffers(arena, stack.treatment().grid(), rows, columns));
    }
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
    int expertRow = weight.isStack() ? range.expert() * weight.rows() : 0;
    try (SlabBlocks blocks = blocks(writer, range, inputBlocks, metrics.ofScaled())) {
      for (int done = 0; done < range.count(); done += slabRows) {
        place.stop().check();
        int rows = Math.min(slabRows, range.count() - done);
        int first = range.first() + done;
        FloatMatrix slab = room.weights().slice(0, rows);
        read(weight, first, slab, room);
        RoundingRule rule = RoundingRule.of(treatment.rounding(), roundingSeed, first);
        FloatMatrix scaled = scaled(slab, room);
        SlabTransforms transforms = blocks.of(rows);
        EncodedSlab rounded =
            place
                .lane()
                .encoder()
                .encode(
                    scaled, treatment.grid(), transforms, metrics.ofValues(), rule, room.buffers());
        baselines.compare(
            new StackBaselines.Slab(done / slabRows, slab, scaled, metrics, rule), rounded);
        EncodedSlab encoded =
            scaledErrors
                .map(errors -> errors.of(rounded, transforms, slab, scaled))
                .orElse(rounded);
        baselines.add(encoded);
        writer.writeSlab(weight.name(), expert, first - expertRow, encoded);
        progress.advanced(
            slab.elements()
                - (inputBlocks.isEmpty() ? 0 : (long) (slab.elements() * LEARNING_SHARE)));
      }
    }
  }

  /** The slab times the column scales, in room of its own; itself where there are none. */
  private FloatMatrix scaled(FloatMatrix slab, Room room) {
    FloatMatrix scaled = room.scaled().slice(0, slab.rows());
    scales.ifPresent(
        each -> {
          scaled.segment().copyFrom(slab.segment());
          each.multiply(scaled, 0);
        });
    return scaled;
  }

  /** Rows that follow one another from the first of a tensor to its last are hashed on the way. */
  private void read(WeightTensor weight, int first, FloatMatrix slab, Room room) {
    TensorInfo info = weight.info();
    if (StackMemory.rawBytes(weight) == 0) {
      place.reader().readFloats(weight, first, 0, slab);
      return;
    }
    if (first == 0) {
      source = new SourceBytes(place.checkpoint(), info);
    }
    long offset = first * StackMemory.rawBytes(weight);
    MemorySegment raw = room.bytes().asSlice(0, slab.rows() * StackMemory.rawBytes(weight));
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

  private SlabBlocks blocks(
      UnitFileWriter writer,
      RowRange range,
      List<BlockTransform> inputBlocks,
      InputMetric ofWeights) {
    return switch (treatment.transform()) {
      case TransformSpec.None none -> rows -> new SlabTransforms.None();
      case BlockDiagonal blocks ->
          switch (blocks.side()) {
            case INPUT -> rows -> new SlabTransforms.Blocks(Side.INPUT, inputBlocks);
            case OUTPUT ->
                new SlabBlocks.Output(
                    writer,
                    Sections.key(unit, part, range, Side.OUTPUT),
                    outputBlocks(range, groupWeights(ofWeights)));
          };
    };
  }

  /** What was asked for already, or asks for it now that it is known what groups count. */
  private BlockQueue outputBlocks(RowRange range, double[] groupWeights) {
    BlockQueue asked = queue;
    queue = null;
    return asked != null ? asked : asker().outputBlocks(range, groupWeights);
  }
}

package io.cafeq.engine.quantize;

import io.cafeq.config.Rounding;
import io.cafeq.config.Side;
import io.cafeq.engine.block.UnitFileWriter;
import io.cafeq.engine.checkpoint.LayoutKind;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.checkpoint.WeightTensor;
import io.cafeq.engine.grid.EncodedSlab;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.grid.SlabBuffers;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.plan.Part;
import io.cafeq.engine.plan.Part.RowRange;
import io.cafeq.engine.plan.Treatment;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.receipt.ErrorFigures;
import io.cafeq.engine.rounding.InputMetric;
import io.cafeq.engine.rounding.LaneSlabEncoder;
import io.cafeq.engine.rounding.RoundingRule;
import io.cafeq.engine.rounding.SlabTransforms;
import io.cafeq.engine.transform.BlockTransform;
import io.cafeq.engine.transform.TransformSpec;
import io.cafeq.engine.transform.Seeds;
import io.cafeq.engine.transform.TransformSpec.BlockDiagonal;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * One pass over a stack: input-side transforms are made first, then slab after slab is read, hashed, given its output-side
 * transforms, rounded and written, while plain rounding on a few grids is measured on the way. Borrows everything that it is
 * given.
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
  private final List<Baseline> baselines;
  private double squaredError;
  private double squaredNorm;
  private @Nullable SourceBytes source;

  /** @param part the stack's place among the unit's parts */
  StackWork(Workplace place, Unit.Quantized unit, int part, Progress progress) {
    this.place = place;
    this.unit = unit;
    this.part = part;
    this.progress = progress;
    stack = (Part.Stack) unit.parts().get(part);
    treatment = stack.treatment();
    baselines = measured().stream().map(Baseline::new).toList();
  }

  /** Squared error of a plain grid, summed up slab by slab. */
  private static final class Baseline {
    private final GridSpec grid;
    private double squaredError;

    private Baseline(GridSpec grid) {
      this.grid = grid;
    }
  }

  private List<GridSpec> equalBits() {
    return PlainGrids.within(treatment.grid(), stack.totalRows(), stack.columns(), stack.bits());
  }

  private List<GridSpec> measured() {
    List<GridSpec> measured = new ArrayList<>();
    if (place.baselines()) {
      measured.add(PlainGrids.sameGroup(treatment.grid(), false));
      measured.add(PlainGrids.sameGroup(treatment.grid(), true));
    }
    if (place.baselines() || treatment.fallBack()) {
      equalBits().stream().filter(grid -> !measured.contains(grid)).forEach(measured::add);
    }
    return measured;
  }

  @Override
  public Outcome write(UnitFileWriter writer) {
    List<BlockTransform> inputBlocks = List.of();
    if (treatment.transform() instanceof BlockDiagonal blocks && blocks.side() == Side.INPUT) {
      inputBlocks = learner(blocks).inputBlocks(weights -> progress.advanced((long) (weights * LEARNING_SHARE)));
      String key = Sections.key(unit, part, stack.rows().getFirst(), Side.INPUT);
      inputBlocks.forEach(block -> writer.writeTransform(key, block.stored().orElseThrow()));
    }
    try (Arena arena = Arena.ofConfined()) {
      Room room = new Room(arena, stack);
      for (RowRange range : stack.rows()) {
        rows(writer, range, inputBlocks, room);
      }
    }
    return outcome();
  }

  private TransformLearner learner(BlockDiagonal blocks) {
    return new TransformLearner(place, stack, blocks);
  }

  /** For learning on the output side. */
  private double[] groupWeights(RowRange range) {
    return treatment.transform() instanceof BlockDiagonal blocks && blocks.side() == Side.OUTPUT
        ? learner(blocks).groupWeights(range)
        : new double[0];
  }

  /** Buffers for one slab of any range. */
  private record Room(MemorySegment bytes, FloatMatrix weights, SlabBuffers buffers) {
    private Room(Arena arena, Part.Stack stack) {
      int rows = mostRows(stack);
      int columns = stack.columns();
      long raw = stack.rows().stream().mapToLong(range -> rawBytes(range.tensor().weight())).max().orElse(0);
      this(
          arena.allocate(Math.max(1, rows * raw), 64),
          FloatMatrix.allocate(arena, rows, columns),
          new SlabBuffers(arena, stack.treatment().grid(), rows, columns));
    }
  }

  /** Of one row that is read as it is stored; other layouts are read by the reader. */
  private static long rawBytes(WeightTensor weight) {
    return weight.layout().kind() == LayoutKind.PLAIN ? (long) weight.columns() * weight.info().dtype().bytes() : 0;
  }

  private static int mostRows(Part.Stack stack) {
    return stack.rows().stream()
        .mapToInt(range -> SlabShape.rows(stack.treatment().transform(), stack.columns(), range.count()))
        .max()
        .orElseThrow();
  }

  private void rows(UnitFileWriter writer, RowRange range, List<BlockTransform> inputBlocks, Room room) {
    WeightTensor weight = range.tensor().weight();
    int columns = weight.columns();
    long roundingSeed = Seeds.of(treatment.seed(), weight.name(), 0, "rounding");
    int slabRows = SlabShape.rows(treatment.transform(), columns, range.count());
    int expert = weight.isStack() ? range.expert() : -1;
    double[] groupWeights = groupWeights(range);
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
          place.lane().encoder().encode(slab, treatment.grid(), transforms, InputMetric.NONE, rule, room.buffers());
      writer.writeSlab(weight.name(), expert, first - expertRow, encoded);
      squaredError += encoded.squaredError();
      squaredNorm += encoded.squaredNorm();
      for (Baseline baseline : baselines) {
        baseline.squaredError += place.lane().encoder().plainError(slab, baseline.grid, InputMetric.NONE).squared();
      }
      progress.advanced(slab.elements() - (inputBlocks.isEmpty() ? 0 : (long) (slab.elements() * LEARNING_SHARE)));
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
              List<BlockTransform> made = learner(blocks).outputBlocks(slab, firstRow, groupWeights);
              String key = Sections.key(unit, part, range, Side.OUTPUT);
              made.forEach(block -> writer.writeTransform(key, block.stored().orElseThrow()));
              yield new SlabTransforms.Blocks(Side.OUTPUT, made);
            }
          };
    };
  }

  private Outcome outcome() {
    ErrorFigures result = new ErrorFigures(squaredError, stack.bits());
    boolean isPlain =
        treatment.transform() instanceof TransformSpec.None && treatment.rounding() == Rounding.NEAREST;
    Optional<Baseline> best = baselines.stream()
        .filter(baseline -> equalBits().contains(baseline.grid))
        .min(Comparator.comparingDouble(baseline -> baseline.squaredError));
    Optional<Part> fallBack = best
        .filter(baseline -> treatment.fallBack() && baseline.squaredError <= squaredError)
        .filter(baseline -> !(isPlain && baseline.grid.equals(treatment.grid())))
        .map(baseline -> new Part.Stack(stack.rows(), new Treatment(
            baseline.grid, new TransformSpec.None(), treatment.loss(), Rounding.NEAREST, treatment.steps(),
            treatment.seed(), false)));
    return new Outcome(
        stack.weights(),
        squaredNorm,
        null,
        result,
        plain(PlainGrids.sameGroup(treatment.grid(), false), isPlain, result),
        plain(PlainGrids.sameGroup(treatment.grid(), true), isPlain, result),
        best.map(this::figures).orElse(null),
        null,
        fallBack);
  }

  private @Nullable ErrorFigures plain(GridSpec grid, boolean isPlain, ErrorFigures result) {
    return baselines.stream()
        .filter(baseline -> place.baselines() && baseline.grid.equals(grid))
        .findFirst()
        .map(this::figures)
        .orElse(isPlain && treatment.grid().equals(grid) ? result : null);
  }

  private ErrorFigures figures(Baseline baseline) {
    return new ErrorFigures(
        baseline.squaredError, stack.totalRows() * baseline.grid.bitsPerRow(stack.columns()));
  }

  /** Native bytes that a pass takes at most. */
  static long memoryNeeded(Part.Stack stack) {
    int rows = mostRows(stack);
    int columns = stack.columns();
    long raw = stack.rows().stream().mapToLong(range -> rawBytes(range.tensor().weight())).max().orElse(0);
    boolean plain = stack.treatment().transform() instanceof TransformSpec.None;
    return rows * (raw + (long) Float.BYTES * columns)
        + (plain ? 0 : LaneSlabEncoder.scratchBytes(rows, columns))
        + SlabBuffers.bytes(stack.treatment().grid(), rows, columns)
        + TransformLearner.memoryNeeded(stack);
  }
}

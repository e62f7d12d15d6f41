package io.cafeq.engine.quantize;

import io.cafeq.config.Side;
import io.cafeq.engine.block.TensorHeader;
import io.cafeq.engine.block.UnitFileWriter;
import io.cafeq.engine.block.UnitHeader;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.checkpoint.TensorReader;
import io.cafeq.engine.compute.ComputeLane;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.grid.EncodedSlab;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.grid.SlabBuffers;
import io.cafeq.engine.memory.FloatMatrix;
import io.cafeq.engine.plan.PlannedTensor;
import io.cafeq.engine.plan.Treatment;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.receipt.ErrorFigures;
import io.cafeq.engine.receipt.JobIdentity;
import io.cafeq.engine.rounding.LaneSlabEncoder;
import io.cafeq.engine.rounding.RoundingRule;
import io.cafeq.engine.rounding.SlabTransforms;
import io.cafeq.engine.transform.BlockTransform;
import io.cafeq.engine.transform.Seeds;
import io.cafeq.engine.transform.TransformSpec.BlockDiagonal;
import io.cafeq.engine.transform.TransformSpec;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * One pass over a quantized unit with one treatment: input-side transforms are made first, then slab after slab is read,
 * hashed, given its output-side transforms, rounded and written. Borrows everything that it is given.
 */
final class QuantizedWork {
  /** Of a unit's progress, what learning counts for; it takes far longer than rounding. */
  private static final double LEARNING_SHARE = 0.9;

  private final Checkpoint checkpoint;
  private final Unit.Quantized unit;
  private final Treatment treatment;
  private final ComputeLane lane;
  private final TensorReader reader;
  private final StopFlag stop;
  private final Progress progress;
  private final SortedMap<String, String> hashes = new TreeMap<>();
  private final List<Baseline> baselines;
  private double squaredError;
  private double squaredNorm;

  QuantizedWork(
      Checkpoint checkpoint,
      Unit.Quantized unit,
      Treatment treatment,
      List<GridSpec> baselines,
      ComputeLane lane,
      TensorReader reader,
      StopFlag stop,
      Progress progress) {
    this.checkpoint = checkpoint;
    this.unit = unit;
    this.treatment = treatment;
    this.baselines = baselines.stream().map(Baseline::new).toList();
    this.lane = lane;
    this.reader = reader;
    this.stop = stop;
    this.progress = progress;
  }

  /** Squared error of a plain grid, summed up slab by slab. */
  private static final class Baseline {
    private final GridSpec grid;
    private double squaredError;

    private Baseline(GridSpec grid) {
      this.grid = grid;
    }
  }

  static UnitHeader header(Unit.Quantized unit, Treatment treatment, JobIdentity identity, String kernel) {
    List<TensorHeader> tensors = new ArrayList<>();
    for (PlannedTensor tensor : unit.tensors()) {
      TensorHeader.@Nullable TransformUse use =
          switch (treatment.transform()) {
            case TransformSpec.None none -> null;
            case BlockDiagonal blocks -> new TensorHeader.TransformUse(key(unit, tensor, blocks.side()), blocks.side());
          };
      tensors.add(TensorHeader.quantized(tensor.info(), treatment.grid(), use));
    }
    return new UnitHeader(unit.id(), identity, kernel, tensors);
  }

  /** Tensors of one input share blocks; those of the output side are a tensor's own. */
  private static String key(Unit.Quantized unit, PlannedTensor tensor, Side side) {
    return side == Side.INPUT && unit.tensors().size() > 1 ? unit.id() : tensor.name();
  }

  /** Everything but the footer. */
  void write(UnitFileWriter writer) {
    List<BlockTransform> inputBlocks = List.of();
    if (treatment.transform() instanceof BlockDiagonal blocks && blocks.side() == Side.INPUT) {
      inputBlocks = learner(blocks).inputBlocks(weights -> progress.advanced((long) (weights * LEARNING_SHARE)));
      String key = key(unit, unit.tensors().getFirst(), Side.INPUT);
      inputBlocks.forEach(block -> writer.writeTransform(key, block.stored()));
    }
    for (PlannedTensor tensor : unit.tensors()) {
      tensor(writer, tensor, inputBlocks);
    }
  }

  private TransformLearner learner(BlockDiagonal blocks) {
    return new TransformLearner(unit, blocks, lane, reader, stop);
  }

  private void tensor(UnitFileWriter writer, PlannedTensor tensor, List<BlockTransform> inputBlocks) {
    TensorInfo info = tensor.info();
    int slabRows = SlabShape.rows(treatment.transform(), info.columns(), info.rows());
    SourceBytes source = new SourceBytes(checkpoint, info);
    long roundingSeed = Seeds.of(treatment.seed(), tensor.name(), 0, "rounding");
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment bytes = arena.allocate((long) slabRows * info.columns() * info.dtype().bytes(), 64);
      FloatMatrix weights = FloatMatrix.allocate(arena, slabRows, info.columns());
      SlabBuffers buffers = new SlabBuffers(arena, treatment.grid(), slabRows, info.columns());
      for (int first = 0; first < info.rows(); first += slabRows) {
        stop.check();
        int rows = Math.min(slabRows, info.rows() - first);
        FloatMatrix slab = weights.slice(0, rows);
        MemorySegment raw = bytes.asSlice(0, (long) rows * info.columns() * info.dtype().bytes());
        source.next(raw);
        reader.toFloats(info, first, raw, slab);
        SlabTransforms transforms = transforms(writer, tensor, inputBlocks, slab, first);
        RoundingRule rule = RoundingRule.of(treatment.rounding(), roundingSeed, first);
        EncodedSlab encoded = lane.encoder().encode(slab, treatment.grid(), transforms, rule, buffers);
        writer.writeSlab(tensor.name(), -1, first, encoded);
        squaredError += encoded.squaredError();
        squaredNorm += encoded.squaredNorm();
        for (Baseline baseline : baselines) {
          baseline.squaredError += lane.encoder().plainError(slab, baseline.grid);
        }
        progress.advanced(slab.elements() - (inputBlocks.isEmpty() ? 0 : (long) (slab.elements() * LEARNING_SHARE)));
      }
    }
    hashes.put(tensor.name(), source.sha256());
  }

  private SlabTransforms transforms(
      UnitFileWriter writer, PlannedTensor tensor, List<BlockTransform> inputBlocks, FloatMatrix slab, int firstRow) {
    return switch (treatment.transform()) {
      case TransformSpec.None none -> new SlabTransforms.None();
      case BlockDiagonal blocks ->
          switch (blocks.side()) {
            case INPUT -> new SlabTransforms.Blocks(Side.INPUT, inputBlocks);
            case OUTPUT -> {
              List<BlockTransform> made = learner(blocks).outputBlocks(slab, firstRow);
              made.forEach(block -> writer.writeTransform(tensor.name(), block.stored()));
              yield new SlabTransforms.Blocks(Side.OUTPUT, made);
            }
          };
    };
  }

  SortedMap<String, String> hashes() {
    return hashes;
  }

  double squaredNorm() {
    return squaredNorm;
  }

  /** What was written. */
  ErrorFigures result() {
    long bits = unit.rows() * treatment.grid().bitsPerRow(unit.columns());
    return new ErrorFigures(squaredError, bits + treatment.transform().bits(unit.rows(), unit.columns()));
  }

  /** Plain rounding on one of the grids asked for. */
  ErrorFigures baseline(GridSpec grid) {
    Baseline found =
        baselines.stream().filter(baseline -> baseline.grid.equals(grid)).findFirst().orElseThrow();
    return new ErrorFigures(found.squaredError, unit.rows() * grid.bitsPerRow(unit.columns()));
  }

  /** Native bytes that a pass takes at most. */
  static long memoryNeeded(Unit.Quantized unit) {
    long most = 0;
    for (PlannedTensor tensor : unit.tensors()) {
      TensorInfo info = tensor.info();
      TransformSpec transform = unit.treatment().transform();
      int rows = SlabShape.rows(transform, info.columns(), info.rows());
      long weights = (long) rows * info.columns();
      long transformed = transform instanceof TransformSpec.None ? 0 : LaneSlabEncoder.scratchBytes(rows, info.columns());
      long encoded = SlabBuffers.bytes(unit.treatment().grid(), rows, info.columns());
      most = Math.max(most, weights * (info.dtype().bytes() + Float.BYTES) + transformed + encoded);
    }
    return most;
  }
}

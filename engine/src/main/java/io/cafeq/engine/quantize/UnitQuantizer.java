package io.cafeq.engine.quantize;

import io.cafeq.config.Rounding;
import io.cafeq.engine.block.TensorHeader;
import io.cafeq.engine.block.UnitFileWriter;
import io.cafeq.engine.block.UnitHeader;
import io.cafeq.engine.block.UnitProof;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.checkpoint.TensorReader;
import io.cafeq.engine.compute.ComputeBackend;
import io.cafeq.engine.compute.ComputeLane;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.plan.PlannedTensor;
import io.cafeq.engine.plan.Treatment;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.plan.UnitEstimate;
import io.cafeq.engine.receipt.JobIdentity;
import io.cafeq.engine.receipt.UnitFigures;
import io.cafeq.engine.receipt.UnitReceipt;
import io.cafeq.engine.transform.TransformSpec;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Takes one unit through. Made once a worker; not thread-safe. Owns a reader, borrows the checkpoint and the lane.
 *
 * <p>A quantized unit goes through once with its treatment while plain rounding on a few grids is measured on the way. Where
 * the best of those that take no more bits in all has the smaller error, the file is written again with it.
 */
public final class UnitQuantizer implements AutoCloseable {
  private static final long COPY_BYTES = 8L << 20;
  /** What {@link UnitProof} takes beside its reader. */
  private static final long PROOF_BYTES = 24L << 20;

  private final Checkpoint checkpoint;
  private final JobIdentity identity;
  private final ComputeLane lane;
  private final String kernel;
  private final TensorReader reader;
  private final Options options;

  /**
   * @param verify whether each file is reopened, decoded and compared with the source before it gets its final name
   * @param baselines whether plain rounding is measured also where the result does not need it
   */
  public record Options(boolean verify, boolean baselines) {}

  /** Borrows the checkpoint and the lane. */
  public UnitQuantizer(
      Checkpoint checkpoint, JobIdentity identity, ComputeBackend backend, ComputeLane lane, Options options) {
    this.checkpoint = checkpoint;
    this.identity = identity;
    this.lane = lane;
    this.options = options;
    kernel = backend.kernel();
    reader = checkpoint.newReader();
  }

  /** Bytes outside the heap that {@link #quantize} takes at most for a unit. Depends on the unit alone. */
  public static long memoryNeeded(Unit unit) {
    long work =
        switch (unit) {
          case Unit.Copied copied -> COPY_BYTES;
          case Unit.Quantized quantized ->
              QuantizedWork.memoryNeeded(quantized) + TransformLearner.memoryNeeded(quantized);
        };
    // The proof comes after the work has given its memory back.
    return Math.max(work, PROOF_BYTES) + TensorReader.SCRATCH_BYTES;
  }

  /**
   * Makes {@code units/ID.arrow} in the output folder: written as {@code .arrow.part}, synced, proven, renamed, folder synced.
   * Throws an {@link io.cafeq.engine.failure.EngineException}, CHECKPOINT for a source at fault (NaN included), ENVIRONMENT
   * for a full disk, RESULT where the proof fails, STOPPED; leaves no file under the final name then.
   */
  public UnitReceipt quantize(Unit unit, Path outputFolder, StopFlag stop, Progress progress) {
    long start = System.nanoTime();
    UnitFile file = new UnitFile(outputFolder, unit.id());
    Written written =
        switch (unit) {
          case Unit.Copied copied -> copy(copied, file, stop, progress);
          case Unit.Quantized quantized -> quantize(quantized, file, stop, progress);
        };
    if (options.verify()) {
      UnitProof.check(file.part(), new UnitProof.Against.Source(checkpoint, false), stop).orThrow();
    }
    String sha256 = file.complete(stop);
    return new UnitReceipt(
        unit.id(),
        file.relativeName(),
        file.size(),
        sha256,
        written.hashes(),
        kernel,
        written.figures(),
        (System.nanoTime() - start) / 1e9);
  }

  private record Written(SortedMap<String, String> hashes, @Nullable UnitFigures figures) {}

  private Written copy(Unit.Copied unit, UnitFile file, StopFlag stop, Progress progress) {
    List<TensorHeader> tensors =
        unit.tensors().stream().map(tensor -> TensorHeader.copied(tensor.info())).toList();
    SortedMap<String, String> hashes = new TreeMap<>();
    try (Arena arena = Arena.ofConfined();
        UnitFileWriter writer = UnitFileWriter.open(file.part(), new UnitHeader(unit.id(), identity, kernel, tensors))) {
      MemorySegment room = arena.allocate(COPY_BYTES, 64);
      for (PlannedTensor tensor : unit.tensors()) {
        TensorInfo info = tensor.info();
        SourceBytes source = new SourceBytes(checkpoint, info);
        for (long at = 0; at < info.bytes(); at += COPY_BYTES) {
          stop.check();
          MemorySegment piece = room.asSlice(0, Math.min(COPY_BYTES, info.bytes() - at));
          source.next(piece);
          writer.writeRaw(info.name(), at, piece);
        }
        hashes.put(info.name(), source.sha256());
        progress.advanced(info.elements());
      }
      writer.finish(hashes, null);
    }
    return new Written(hashes, null);
  }

  private Written quantize(Unit.Quantized unit, UnitFile file, StopFlag stop, Progress progress) {
    Treatment treatment = unit.treatment();
    GridSpec plain = PlainGrids.sameGroup(treatment.grid(), false);
    GridSpec plainClipped = PlainGrids.sameGroup(treatment.grid(), true);
    long budget =
        unit.rows() * treatment.grid().bitsPerRow(unit.columns())
            + treatment.transform().bits(unit.rows(), unit.columns());
    List<GridSpec> equal = PlainGrids.within(treatment.grid(), unit.rows(), unit.columns(), budget);
    List<GridSpec> measured = new ArrayList<>();
    if (options.baselines()) {
      measured.add(plain);
      measured.add(plainClipped);
    }
    if (options.baselines() || treatment.fallBack()) {
      equal.stream().filter(grid -> !measured.contains(grid)).forEach(measured::add);
    }
    QuantizedWork work = work(unit, treatment, measured, stop, progress);
    UnitFigures figures;
    @Nullable GridSpec best;
    try (UnitFileWriter writer = open(unit, treatment, file)) {
      work.write(writer);
      best =
          measured.containsAll(equal)
              ? equal.stream().min(Comparator.comparingDouble(grid -> work.baseline(grid).squaredError())).orElse(null)
              : null;
      figures = figures(unit, treatment, work, plain, plainClipped, best);
      if (best == null
          || !treatment.fallBack()
          || work.baseline(best).squaredError() > work.result().squaredError()) {
        writer.finish(work.hashes(), figures);
        return new Written(work.hashes(), figures);
      }
    }
    return fallBack(unit, treatment, best, figures, file, stop);
  }

  private UnitFigures figures(
      Unit.Quantized unit,
      Treatment treatment,
      QuantizedWork work,
      GridSpec plain,
      GridSpec plainClipped,
      @Nullable GridSpec best) {
    boolean isPlain =
        treatment.transform() instanceof TransformSpec.None && treatment.rounding() == Rounding.NEAREST;
    return new UnitFigures(
        unit.weights(),
        work.squaredNorm(),
        work.result(),
        options.baselines() ? work.baseline(plain) : isPlain && treatment.grid().equals(plain) ? work.result() : null,
        options.baselines()
            ? work.baseline(plainClipped)
            : isPlain && treatment.grid().equals(plainClipped) ? work.result() : null,
        best == null ? null : work.baseline(best),
        false,
        UnitEstimate.describe(treatment));
  }

  private Written fallBack(
      Unit.Quantized unit, Treatment treatment, GridSpec grid, UnitFigures figures, UnitFile file, StopFlag stop) {
    Treatment plain =
        new Treatment(grid, new TransformSpec.None(), treatment.loss(), Rounding.NEAREST, treatment.steps(),
            treatment.seed(), false);
    QuantizedWork work = work(unit, plain, List.of(), stop, Progress.NONE);
    try (UnitFileWriter writer = open(unit, plain, file)) {
      work.write(writer);
      UnitFigures changed =
          new UnitFigures(
              figures.weights(),
              work.squaredNorm(),
              work.result(),
              figures.plain(),
              figures.plainClipped(),
              work.result(),
              true,
              UnitEstimate.describe(plain));
      writer.finish(work.hashes(), changed);
      return new Written(work.hashes(), changed);
    }
  }

  private UnitFileWriter open(Unit.Quantized unit, Treatment treatment, UnitFile file) {
    return UnitFileWriter.open(file.part(), QuantizedWork.header(unit, treatment, identity, kernel));
  }

  private QuantizedWork work(
      Unit.Quantized unit, Treatment treatment, List<GridSpec> baselines, StopFlag stop, Progress progress) {
    return new QuantizedWork(checkpoint, unit, treatment, baselines, lane, reader, stop, progress);
  }

  @Override
  public void close() {
    reader.close();
  }
}

package io.cafeq.engine.quantize;

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
import io.cafeq.engine.family.MatrixInputs;
import io.cafeq.engine.plan.Part;
import io.cafeq.engine.plan.PlannedTensor;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.receipt.JobIdentity;
import io.cafeq.engine.receipt.UnitFigures;
import io.cafeq.engine.receipt.UnitReceipt;
import io.cafeq.engine.statistics.InputStatistics;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.ToLongFunction;
import org.jspecify.annotations.Nullable;

/**
 * Takes one unit through. Made once a worker; not thread-safe. Owns a reader, borrows the
 * checkpoint and the lane.
 *
 * <p>A quantized unit goes through once, part by part, while plain rounding on a few grids is
 * measured on the way. Where the best of those that take no more bits in all has the smaller error,
 * the file is written again with it in that part.
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
  private final InputStatistics statistics;
  private final MatrixInputs inputs;
  private final Options options;

  /**
   * @param verify whether each file is reopened, decoded and compared with the source before it
   *     gets its final name
   * @param baselines whether plain rounding is measured also where the result does not need it
   * @param damping part of the mean diagonal of second moments that is added to it
   */
  public record Options(boolean verify, boolean baselines, double damping) {}

  /** Borrows the checkpoint and the lane. */
  public UnitQuantizer(
      Checkpoint checkpoint,
      JobIdentity identity,
      ComputeBackend backend,
      ComputeLane lane,
      InputStatistics statistics,
      Options options) {
    this.checkpoint = checkpoint;
    this.statistics = statistics;
    inputs = MatrixInputs.of(checkpoint);
    this.identity = identity;
    this.lane = lane;
    this.options = options;
    kernel = backend.kernel();
    reader = checkpoint.newReader();
  }

  /** What {@link #quantize} takes at most for a unit without statistics. */
  public static UnitMemory memoryNeeded(Unit unit) {
    return memoryNeeded(unit, range -> 0);
  }

  /**
   * The same with statistics.
   *
   * @param statistics that it will be given
   * @param inputs of the same checkpoint
   */
  public static UnitMemory memoryNeeded(
      Unit unit, InputStatistics statistics, MatrixInputs inputs) {
    return memoryNeeded(
        unit, range -> StackInput.of(range, inputs).map(statistics::bytes).orElse(0L));
  }

  private static UnitMemory memoryNeeded(Unit unit, ToLongFunction<Part.RowRange> momentBytes) {
    long work =
        switch (unit) {
          case Unit.Copied copied -> COPY_BYTES;
          case Unit.Quantized quantized -> PartWorks.memoryNeeded(quantized, momentBytes);
        };
    // The proof comes after the work has given its memory back.
    long heap =
        switch (unit) {
          case Unit.Copied copied -> 0;
          case Unit.Quantized quantized -> PartWorks.heapNeeded(quantized);
        };
    return new UnitMemory(Math.max(work, PROOF_BYTES) + TensorReader.SCRATCH_BYTES, heap);
  }

  /**
   * Makes {@code units/ID.arrow} in the output folder: written as {@code .arrow.part}, synced,
   * proven, renamed, folder synced. Throws an {@link io.cafeq.engine.failure.EngineException},
   * CHECKPOINT for a source at fault (NaN included), ENVIRONMENT for a full disk, RESULT where the
   * proof fails, STOPPED; leaves no file under the final name then.
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
        UnitFileWriter writer =
            UnitFileWriter.open(
                file.part(), new UnitHeader(unit.id(), identity, kernel, tensors))) {
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
    Workplace place =
        new Workplace(
            checkpoint,
            reader,
            lane,
            stop,
            new SourceHashes(),
            new BiasFolds(),
            statistics,
            options.damping(),
            inputs,
            options.baselines());
    UnitHeader header = Sections.header(unit, identity, kernel);
    List<PartWork.Outcome> outcomes = new ArrayList<>();
    try (UnitFileWriter writer = UnitFileWriter.open(file.part(), header)) {
      for (int i = 0; i < unit.parts().size(); i++) {
        outcomes.add(PartWorks.of(place, unit, i, progress).write(writer));
      }
      place.biases().write(unit, writer, checkpoint, reader);
      SortedMap<String, String> hashes = place.hashes().complete(checkpoint, unit, stop);
      UnitFigures figures = Outcomes.figures(unit, outcomes);
      boolean stays = outcomes.stream().allMatch(outcome -> outcome.fallBack().isEmpty());
      boolean mixed = !stays && outcomes.stream().anyMatch(outcome -> outcome.fallBack().isEmpty());
      if (stays || mixed) {
        writer.finish(hashes, figures);
      }
      if (stays) {
        return new Written(hashes, figures);
      }
    }
    return fallBack(place, unit, outcomes, file);
  }

  /**
   * Writes the file again, with plain rounding in the parts where that came out better, and the
   * others as they are.
   */
  private Written fallBack(
      Workplace place, Unit.Quantized unit, List<PartWork.Outcome> outcomes, UnitFile file) {
    List<Part> parts = new ArrayList<>();
    for (int i = 0; i < outcomes.size(); i++) {
      parts.add(outcomes.get(i).fallBack().orElse(unit.parts().get(i)));
    }
    Unit.Quantized changed = new Unit.Quantized(unit.id(), unit.tensors(), parts);
    boolean mixed = outcomes.stream().anyMatch(outcome -> outcome.fallBack().isEmpty());
    Workplace plain =
        new Workplace(
            checkpoint,
            reader,
            lane,
            place.stop(),
            place.hashes(),
            place.biases(),
            statistics,
            options.damping(),
            inputs,
            false);
    UnitHeader header = Sections.header(changed, identity, kernel);
    if (mixed) {
      file.setAside();
    }
    try (UnitFileWriter writer = UnitFileWriter.open(file.part(), header)) {
      if (mixed) {
        KeptRows.copy(file.aside(), header, changed, outcomes, writer, place.stop());
      }
      List<PartWork.Outcome> written = new ArrayList<>();
      for (int i = 0; i < parts.size(); i++) {
        PartWork.Outcome before = outcomes.get(i);
        written.add(
            before.fallBack().isEmpty()
                ? before
                : Outcomes.replaced(
                    before, PartWorks.of(plain, changed, i, Progress.NONE).write(writer)));
      }
      place.biases().write(changed, writer, checkpoint, reader);
      SortedMap<String, String> hashes = place.hashes().complete(checkpoint, unit, place.stop());
      UnitFigures figures = Outcomes.figures(changed, written);
      writer.finish(hashes, figures);
      return new Written(hashes, figures);
    } finally {
      if (mixed) {
        file.deleteAside();
      }
    }
  }

  @Override
  public void close() {
    reader.close();
  }
}

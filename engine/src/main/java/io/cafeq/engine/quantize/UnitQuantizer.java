package io.cafeq.engine.quantize;

import io.cafeq.engine.block.TensorHeader;
import io.cafeq.engine.block.UnitFileWriter;
import io.cafeq.engine.block.UnitHeader;
import io.cafeq.engine.block.UnitProof;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.checkpoint.TensorReader;
import io.cafeq.engine.compute.Compute;
import io.cafeq.engine.compute.ComputeLane;
import io.cafeq.engine.compute.LearnerFailure;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.family.MatrixInputs;
import io.cafeq.engine.memory.MemoryNeed;
import io.cafeq.engine.plan.Part;
import io.cafeq.engine.plan.PlannedTensor;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.receipt.JobIdentity;
import io.cafeq.engine.receipt.UnitFigures;
import io.cafeq.engine.receipt.UnitReceipt;
import io.cafeq.engine.statistics.InputStatistics;
import io.cafeq.engine.text.VisibleText;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.ToLongFunction;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Quantizes one unit at a time on each calling thread. Thread-safe: the lane and the reader of a
 * unit live as long as it does, so that nothing outlives what the unit claimed. Borrows the
 * checkpoint.
 *
 * <p>A quantized unit goes through once, part by part, while plain rounding on a few grids is
 * measured on the way. Where the best of those that take no more bits in all has the smaller error,
 * the file is written again with it in that part.
 */
public final class UnitQuantizer {
  private static final Logger LOG = LoggerFactory.getLogger(UnitQuantizer.class);

  private static final long COPY_BYTES = 8L << 20;

  /** What {@link UnitFileWriter} takes. */
  private static final long WRITER_BYTES = 1L << 20;

  /** What {@link UnitProof} takes, its reader included. */
  private static final long PROOF_BYTES = (24L << 20) + TensorReader.SCRATCH_BYTES;

  private final Checkpoint checkpoint;
  private final JobIdentity identity;
  private final Compute compute;
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

  /** Borrows the checkpoint. */
  public UnitQuantizer(
      Checkpoint checkpoint,
      JobIdentity identity,
      Compute compute,
      InputStatistics statistics,
      Options options) {
    this.checkpoint = checkpoint;
    this.statistics = statistics;
    inputs = MatrixInputs.of(checkpoint);
    this.identity = identity;
    this.options = options;
    this.compute = compute;
  }

  /**
   * What {@link #quantize} takes at most, backend and learner included.
   *
   * @param statistics that it will be given
   * @param inputs of the same checkpoint
   */
  public static UnitMemory memoryNeeded(
      Unit unit, Compute compute, InputStatistics statistics, MatrixInputs inputs) {
    MemoryNeed work =
        switch (unit) {
          case Unit.Copied copied -> MemoryNeed.host(COPY_BYTES + WRITER_BYTES, 0);
          case Unit.Quantized quantized -> {
            ToLongFunction<Part.RowRange> moments =
                range -> StackInput.of(range, inputs).map(statistics::bytes).orElse(0L);
            Unit.Quantized settled = StackScales.settled(quantized, statistics, inputs);
            yield workNeeded(settled, compute, moments)
                .max(workNeeded(settled, compute.onTheCpu(), moments));
          }
        };
    // The proof comes after the work has given its memory back.
    return new UnitMemory(Math.max(work.nativeBytes(), PROOF_BYTES), work.heapBytes());
  }

  /** Without the proof, which comes afterwards. */
  static MemoryNeed workNeeded(
      Unit.Quantized unit, Compute compute, ToLongFunction<Part.RowRange> momentBytes) {
    return PartWorks.memoryNeeded(unit, compute, momentBytes)
        .plus(MemoryNeed.host(TensorReader.SCRATCH_BYTES + WRITER_BYTES, 0));
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
          case Unit.Quantized quantized ->
              learned(StackScales.settled(quantized, statistics, inputs), file, stop, progress);
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
        written.kernel(),
        written.figures(),
        (System.nanoTime() - start) / 1e9);
  }

  private record Written(
      SortedMap<String, String> hashes, String kernel, @Nullable UnitFigures figures) {}

  private Written copy(Unit.Copied unit, UnitFile file, StopFlag stop, Progress progress) {
    List<TensorHeader> tensors =
        unit.tensors().stream().map(tensor -> TensorHeader.copied(tensor.info())).toList();
    SortedMap<String, String> hashes = new TreeMap<>();
    try (Arena arena = Arena.ofConfined();
        UnitFileWriter writer =
            UnitFileWriter.open(
                file.part(),
                new UnitHeader(unit.id(), identity, compute.backend().kernel(), tensors))) {
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
    return new Written(hashes, compute.backend().kernel(), null);
  }

  /**
   * Where the learner fails and allows it, the whole unit is done anew with the one of the CPU: its
   * bytes are those of one learner, whenever the other failed.
   */
  private Written learned(Unit.Quantized unit, UnitFile file, StopFlag stop, Progress progress) {
    Replay replay = new Replay(progress);
    try {
      return quantize(unit, compute, file, stop, replay);
    } catch (LearnerFailure failure) {
      if (!failure.fallsBack()) {
        throw failure;
      }
      Compute cpu = compute.onTheCpu();
      LOG.info(
          "Unit {}: learner {} failed, falling back to {}: {}",
          VisibleText.line(unit.id()),
          compute.learner().id(),
          cpu.learner().id(),
          failure.getMessage());
      replay.again();
      return quantize(unit, cpu, file, stop, replay);
    }
  }

  private Written quantize(
      Unit.Quantized unit, Compute using, UnitFile file, StopFlag stop, Progress progress) {
    try (ComputeLane lane = using.backend().openLane();
        TensorReader reader = checkpoint.newReader()) {
      Workplace place =
          new Workplace(
              checkpoint,
              reader,
              lane,
              using.learner(),
              stop,
              new SourceHashes(),
              new BiasFolds(),
              statistics,
              options.damping(),
              inputs,
              options.baselines());
      return quantize(place, unit, using.kernel(), file, progress);
    }
  }

  private Written quantize(
      Workplace place, Unit.Quantized unit, String kernel, UnitFile file, Progress progress) {
    UnitHeader header = Sections.header(unit, identity, kernel);
    List<PartWork.Outcome> outcomes = new ArrayList<>();
    try (UnitFileWriter writer = UnitFileWriter.open(file.part(), header)) {
      outcomes.addAll(PartWorks.write(place, unit, writer, progress));
      place.biases().write(unit, writer, checkpoint, place.reader());
      SortedMap<String, String> hashes = place.hashes().complete(checkpoint, unit, place.stop());
      UnitFigures figures = Outcomes.figures(unit, outcomes);
      boolean stays = outcomes.stream().allMatch(outcome -> outcome.fallBack().isEmpty());
      boolean mixed = !stays && outcomes.stream().anyMatch(outcome -> outcome.fallBack().isEmpty());
      if (stays || mixed) {
        writer.finish(hashes, figures);
      }
      if (stays) {
        return new Written(hashes, kernel, figures);
      }
    }
    return fallBack(place, unit, kernel, outcomes, file);
  }

  /**
   * Writes the file again, with plain rounding in the parts where that came out better, and the
   * others as they are.
   */
  private Written fallBack(
      Workplace place,
      Unit.Quantized unit,
      String kernel,
      List<PartWork.Outcome> outcomes,
      UnitFile file) {
    List<Part> parts = new ArrayList<>();
    for (int i = 0; i < outcomes.size(); i++) {
      parts.add(outcomes.get(i).fallBack().orElse(unit.parts().get(i)));
    }
    Unit.Quantized changed = new Unit.Quantized(unit.id(), unit.tensors(), parts);
    boolean mixed = outcomes.stream().anyMatch(outcome -> outcome.fallBack().isEmpty());
    Workplace plain = place.withoutBaselines();
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
                : Outcomes.replaced(before, PartWorks.write(plain, changed, i, writer)));
      }
      place.biases().write(changed, writer, checkpoint, place.reader());
      SortedMap<String, String> hashes = place.hashes().complete(checkpoint, unit, place.stop());
      UnitFigures figures = Outcomes.figures(changed, written);
      writer.finish(hashes, figures);
      return new Written(hashes, kernel, figures);
    } finally {
      if (mixed) {
        file.deleteAside();
      }
    }
  }
}

package io.cafeq.actors.job;

import io.cafeq.engine.compute.Compute;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.family.MatrixInputs;
import io.cafeq.engine.output.ArrowUnits;
import io.cafeq.engine.output.DiskSpace;
import io.cafeq.engine.output.StoredUnits;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.plan.UnitEstimate;
import io.cafeq.engine.quantize.Progress;
import io.cafeq.engine.quantize.UnitMemory;
import io.cafeq.engine.quantize.UnitQuantizer;
import io.cafeq.engine.receipt.JobIdentity;
import io.cafeq.engine.receipt.UnitReceipt;
import java.nio.file.Path;

/** The engine's own numerics and its Arrow files. */
public final class ArrowJobEngine implements JobEngine {
  /** What the format adds to a file: header, footer, a little for each row. */
  private static final long FILE_BYTES = 64L << 10;

  private final Work work;
  private final JobIdentity identity;
  private final MatrixInputs inputs;

  public ArrowJobEngine(Work work) {
    this.work = work;
    this.identity = new JobIdentity(work.recipe().hash(), JobIdentity.ALGORITHM_VERSION);
    this.inputs = MatrixInputs.of(work.checkpoint());
  }

  @Override
  public UnitMemory memoryNeeded(Unit unit) {
    return UnitQuantizer.memoryNeeded(unit, work.compute().get(), work.statistics(), inputs);
  }

  @Override
  public long diskNeeded(Unit unit) {
    return UnitEstimate.of(unit).bytes() + FILE_BYTES;
  }

  @Override
  public StoredUnits stored(StopFlag stop) {
    return new ArrowUnits(identity, stop);
  }

  @Override
  public Names names() {
    Compute compute = work.compute().get();
    return new Names(compute.backend().id(), compute.kernel());
  }

  @Override
  public Lane openLane(Path output, StopFlag stop) {
    return new ArrowLane(work.compute().get(), output, stop);
  }

  /** Quantizes into a folder. A unit gives back all that it took when it ends. */
  private final class ArrowLane implements Lane {
    private final UnitQuantizer quantizer;
    private final Path output;
    private final StopFlag stop;

    private ArrowLane(Compute compute, Path output, StopFlag stop) {
      this.quantizer =
          new UnitQuantizer(
              work.checkpoint(),
              identity,
              compute,
              work.statistics(),
              new UnitQuantizer.Options(
                  work.verify(),
                  work.recipe().measuresBaselines(),
                  work.recipe().statistics().damping()));
      this.output = output;
      this.stop = stop;
    }

    @Override
    public UnitReceipt run(Unit unit, Progress progress) {
      // the disk can have filled up since the job began, and a unit may learn for an hour before it
      // writes
      DiskSpace.require(output, diskNeeded(unit), DiskSpace.usable(output));
      return quantizer.quantize(unit, output, stop, progress);
    }

    @Override
    public void close() {}
  }
}

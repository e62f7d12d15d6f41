package io.cafeq.actors.job;

import io.cafeq.actors.worker.UnitWork;
import io.cafeq.config.RunSettings;
import io.cafeq.config.Settings;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.compute.Compute;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.family.MatrixInputs;
import io.cafeq.engine.output.ArrowUnits;
import io.cafeq.engine.output.DiskSpace;
import io.cafeq.engine.output.OutputFolder;
import io.cafeq.engine.output.StoredUnits;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.plan.UnitEstimate;
import io.cafeq.engine.quantize.Progress;
import io.cafeq.engine.quantize.UnitMemory;
import io.cafeq.engine.quantize.UnitQuantizer;
import io.cafeq.engine.receipt.JobIdentity;
import io.cafeq.engine.receipt.UnitReceipt;
import io.cafeq.engine.statistics.InputStatistics;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** The engine's own numerics and its Arrow files. */
final class ArrowJobEngine implements JobEngine {
  /** What the format adds to a file: header, footer, a little for each row. */
  private static final long FILE_BYTES = 64L << 10;

  private final Checkpoint checkpoint;
  private final JobIdentity identity;
  private final RunSettings run;
  private final UnitQuantizer.Options options;
  private final InputStatistics statistics;
  private final MatrixInputs inputs;
  private final StopFlag stop;
  private @Nullable Compute compute;

  ArrowJobEngine(
      Checkpoint checkpoint,
      JobIdentity identity,
      Settings settings,
      InputStatistics statistics,
      StopFlag stop) {
    this.statistics = statistics;
    this.inputs = MatrixInputs.of(checkpoint);
    this.checkpoint = checkpoint;
    this.identity = identity;
    this.run = settings.run();
    this.options =
        new UnitQuantizer.Options(
            run.verify(),
            settings.recipe().measuresBaselines(),
            settings.recipe().statistics().damping());
    this.stop = stop;
  }

  @Override
  public UnitMemory memoryNeeded(Unit unit) {
    return UnitQuantizer.memoryNeeded(unit, compute(), statistics, inputs);
  }

  @Override
  public long diskNeeded(Unit unit) {
    return UnitEstimate.of(unit).bytes() + FILE_BYTES;
  }

  @Override
  public StoredUnits stored() {
    return new ArrowUnits(identity, stop);
  }

  @Override
  public Opened open(OutputFolder folder) {
    Compute opened = compute();
    return new Opened(
        opened.backend().id(), opened.kernel(), lane -> work(opened, folder.root()));
  }

  /** Opened where something is to be computed, by whichever thread asks first. */
  private synchronized Compute compute() {
    Compute opened = compute;
    if (opened == null) {
      opened = Compute.open(run.backend().orElse("auto"));
      compute = opened;
    }
    return opened;
  }

  private UnitWork work(Compute opened, Path output) {
    UnitQuantizer quantizer =
        new UnitQuantizer(checkpoint, identity, opened, statistics, options);
    return new UnitWork() {
      @Override
      public UnitReceipt run(Unit unit, StopFlag flag, Progress progress) {
        // the disk can have filled up since the job began, and a unit may learn for an hour before
        // it writes
        DiskSpace.require(output, diskNeeded(unit), DiskSpace.usable(output));
        return quantizer.quantize(unit, output, flag, progress);
      }

      @Override
      public void close() {
        // a unit gives back all that it took when it ends
      }
    };
  }
}

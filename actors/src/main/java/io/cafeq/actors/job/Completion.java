package io.cafeq.actors.job;

import io.cafeq.actors.job.JobEvent.PhaseChanged;
import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.output.Manifests;
import io.cafeq.engine.output.ResultIdentity;
import io.cafeq.engine.output.SideFile;
import io.cafeq.engine.output.SideFileCopier;
import io.cafeq.engine.receipt.UnitReceipt;
import io.cafeq.engine.report.JobStatus;
import io.cafeq.engine.report.Report;
import io.cafeq.engine.report.ReportFile;
import io.cafeq.engine.report.UnitFailure;
import io.cafeq.engine.result.ResultLayout;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What comes after the last unit: side files, the manifest, and the report whatever happened. */
final class Completion {
  private static final Logger LOG = LoggerFactory.getLogger(Completion.class);

  private final JobScope job;
  private final SideFileCopier sideFiles;

  Completion(JobScope job, SideFileCopier sideFiles) {
    this.job = job;
    this.sideFiles = sideFiles;
  }

  /** Whether the folder's finished result is all that it should be. */
  boolean isIntact(ResultIdentity identity) {
    try {
      return sideFiles.areIn(job.folder().root(), job.stop().flag())
          && job.statistics().isWhole()
          && Manifest.read(job.folder().root()).equals(manifest(identity));
    } catch (EngineException e) {
      if (e.kind() == FailureKind.RESULT) {
        return false;
      }
      throw e;
    }
  }

  /**
   * The report that is there, or where somebody deleted it a new one from the units' own figures.
   */
  Report earlierReport() {
    try {
      return ReportFile.read(job.folder().root());
    } catch (EngineException e) {
      Report report = job.reports().make(JobStatus.COMPLETE, job.ledger());
      ReportFile.write(job.folder().root(), report);
      return report;
    }
  }

  /**
   * Writes the manifest where nothing is missing.
   *
   * @param failure of what no unit waited for
   */
  JobResult finish(ResultIdentity identity, Optional<UnitFailure> failure) {
    job.events().emit(new PhaseChanged(Phase.FINISHING));
    logFallbacks();
    UnitFailure cause = job.ledger().cause().or(() -> failure).orElse(null);
    if (cause == null) {
      try {
        List<SideFile> copied = sideFiles.copyTo(job.folder().root(), job.stop().flag());
        requireUnchanged(identity.sideFiles(), copied);
        manifest(identity).write(job.folder().root());
        copied.forEach(file -> job.reports().wrote(file.bytes()));
        job.reports().wrote(ReportMaker.size(new ResultLayout(job.folder().root()).manifest()));
        return new JobResult.Complete(report(JobStatus.COMPLETE), false);
      } catch (EngineException e) {
        if (e.kind() == FailureKind.STOPPED) {
          throw e;
        }
        cause = UnitFailure.of(e);
        job.warn(cause.message() + " " + cause.remedy());
      }
    }
    return new JobResult.Partial(report(JobStatus.PARTIAL), cause);
  }

  private void logFallbacks() {
    List<UnitReceipt> receipts = job.ledger().receipts();
    long fellBack =
        receipts.stream()
            .filter(receipt -> receipt.figures() != null && receipt.figures().fellBack())
            .count();
    LOG.info(
        "{} of {} units fell back to round-to-nearest, since no transform was better there",
        fellBack,
        receipts.size());
  }

  /** The job was stopped; what is finished stays. */
  JobResult stopped() {
    return new JobResult.Stopped(report(JobStatus.STOPPED));
  }

  /** A report that cannot be written is no reason to lose it: the caller still gets it. */
  private Report report(JobStatus status) {
    Report report = job.reports().make(status, job.ledger());
    try {
      ReportFile.write(job.folder().root(), report);
      return report;
    } catch (EngineException e) {
      job.warn(UnitFailure.of(e).message());
      return job.reports().make(status, job.ledger());
    }
  }

  private Manifest manifest(ResultIdentity identity) {
    return Manifests.of(
        job.definition().checkpoint(),
        job.definition().plan(),
        job.definition().recipe().canonical(),
        identity,
        job.ledger().receipts(),
        identity.sideFiles(),
        job.statistics().entry());
  }

  private static void requireUnchanged(List<SideFile> before, List<SideFile> after) {
    if (!before.equals(after)) {
      throw new EngineException(
          FailureKind.CHECKPOINT,
          "the checkpoint's side files changed during the run",
          "Leave the checkpoint alone while it is read, and quantize it again into another"
              + " folder.");
    }
  }
}

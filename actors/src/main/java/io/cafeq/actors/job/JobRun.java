package io.cafeq.actors.job;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.output.ResultIdentity;
import io.cafeq.engine.output.SideFileCopier;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.report.JobStatus;
import io.cafeq.engine.report.UnitFailure;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/** Carries one plan out, in a folder that is locked: preflight, units, completion. Used once. */
final class JobRun {
  private final JobScope job;
  private final Preflight preflight;
  private final Execution execution;
  private final Completion completion;

  JobRun(JobScope job) {
    this.job = job;
    SideFileCopier sideFiles =
        new SideFileCopier(
            job.definition().checkpoint().store(), job.definition().checkpoint().sideFiles());
    this.preflight = new Preflight(job, sideFiles);
    this.execution = new Execution(job);
    this.completion = new Completion(job, sideFiles);
  }

  /** Throws an {@link EngineException} where the job is refused before anything is changed. */
  JobResult run() {
    boolean untouched = true;
    try {
      boolean complete = job.folder().hasManifest();
      List<Unit> open = preflight.look();
      if (complete && open.isEmpty() && completion.isIntact(preflight.identity())) {
        return new JobResult.Complete(completion.earlierReport(), true);
      }
      untouched = complete;
      ResultIdentity identity = preflight.begin(open);
      untouched = false;
      Optional<UnitFailure> failure = execution.run(open);
      boolean unfinished = !job.ledger().open().isEmpty() || job.statistics().isOpen();
      return job.stop().flag().isStopped() && unfinished
          ? completion.stopped()
          : completion.finish(identity, failure);
    } catch (EngineException e) {
      if (e.kind() != FailureKind.STOPPED) {
        throw e;
      }
      // a folder of another job, and a complete result that was only looked at, keep their report
      return untouched && (job.folder().hasManifest() || !preflight.isSame())
          ? new JobResult.Stopped(job.reports().make(JobStatus.STOPPED, job.ledger()))
          : completion.stopped();
    }
  }

  /** Completed when no lane works for the job any more; until then the folder stays locked. */
  CompletableFuture<?> released() {
    return execution.released();
  }
}

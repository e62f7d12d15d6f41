package io.cafeq.actors.job;

import io.cafeq.actors.job.JobEvent.PhaseChanged;
import io.cafeq.actors.memory.MemoryBudget;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.output.DiskSpace;
import io.cafeq.engine.output.ResultIdentity;
import io.cafeq.engine.output.ResumeCheck;
import io.cafeq.engine.output.SideFile;
import io.cafeq.engine.output.SideFileCopier;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.report.UnitEntry;
import io.cafeq.engine.report.UnitResult;
import java.nio.file.Files;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What comes before the first unit: whether the folder is of this job, what an earlier run left in
 * it, and whether memory and disk are enough. Until {@link #begin} nothing in the folder is changed
 * but for unfinished files.
 */
final class Preflight {
  private static final Logger LOG = LoggerFactory.getLogger(Preflight.class);

  private final JobScope job;
  private final SideFileCopier sideFiles;
  private List<SideFile> files = List.of();
  private boolean same;

  Preflight(JobScope job, SideFileCopier sideFiles) {
    this.job = job;
    this.sideFiles = sideFiles;
  }

  /**
   * Finds what an earlier run left.
   *
   * @return the units that have no file yet
   * @throws EngineException with kind USAGE where the folder is of another job, STOPPED
   */
  List<Unit> look() {
    files = sideFiles.describe(job.stop().flag());
    job.statistics().look();
    job.folder().requireSame(identity());
    same = true;
    job.statistics().clean();
    job.folder().cleanUnits(job.definition().plan().units());
    keepEarlierUnits();
    List<Unit> open = job.ledger().open();
    LOG.info(
        "{} of {} units are there already",
        job.definition().plan().units().size() - open.size(),
        job.definition().plan().units().size());
    return open;
  }

  /** Whether the folder is known to be this job's, so that a report may be written into it. */
  boolean isSame() {
    return same;
  }

  /** What the units are made from, as far as it is known. */
  ResultIdentity identity() {
    return Identities.of(job.definition(), files, job.statistics().identity());
  }

  private void keepEarlierUnits() {
    job.events().emit(new PhaseChanged(Phase.CHECKING));
    ResumeCheck check =
        new ResumeCheck(
            job.definition().checkpoint(),
            job.folder(),
            job.engine().stored(job.stop().flag()),
            job.stop().flag());
    List<String> changed =
        new EarlierUnits(job.definition().id(), job.node().runtime(), check)
            .check(
                job.definition().plan().units(),
                keep -> {
                  UnitResult.Kept kept = new UnitResult.Kept(keep.unit(), keep.receipt());
                  job.ledger().put(kept);
                  job.events().emit(new JobEvent.UnitKept(UnitEntry.of(kept)));
                });
    if (!changed.isEmpty()) {
      throw job.folder()
          .different(
              List.of("the bytes of these source tensors changed: " + String.join(", ", changed)));
    }
  }

  /**
   * Makes sure that the open units can be made, keeps the choices that a resume must not make anew,
   * and writes the identity. Throws an {@link EngineException} where they cannot.
   */
  ResultIdentity begin(List<Unit> open) {
    requirePossible(open);
    if (!open.isEmpty()) {
      job.reports().opened(job.engine().names());
    }
    job.stop().flag().check();
    keepChoices();
    ResultIdentity identity = identity();
    job.folder().begin(identity);
    warnOfReservedNames();
    return identity;
  }

  /** Before the identity, so that a folder with an identity has them. */
  private void keepChoices() {
    job.statistics().requireSameSource();
    if (job.statistics().isOpen()) {
      job.events().emit(new PhaseChanged(Phase.MEASURING));
      job.statistics().prepare();
    }
    if (job.folder().earlierIdentity().isEmpty() || !Files.exists(job.folder().planFile())) {
      job.definition().budget().ifPresent(budget -> budget.keep(job.folder().planFile()));
    }
  }

  private void warnOfReservedNames() {
    for (String file : SideFileCopier.leftOut(job.definition().checkpoint().sideFiles())) {
      job.warn(
          "The checkpoint's "
              + file
              + " is left out: a result has a file of its own by that name.");
    }
  }

  private void requirePossible(List<Unit> open) {
    MemoryBudget budget = job.node().budget();
    JobNeeds needs =
        JobNeeds.of(open, job.engine(), sideFiles.bytes(), job.statistics().diskNeeded());
    needs.requireMemory(budget, job.statistics().memoryNeeded());
    if (budget.isTight()) {
      job.warn(
          "The Java heap alone may take "
              + (budget.heap() >> 20)
              + " MiB, so the memory cap of "
              + (budget.cap() >> 20)
              + " MiB may be exceeded; start with a smaller heap, such as"
              + " CAFEQ_JAVA_OPTS=-Xmx384m.");
    }
    DiskSpace.require(
        job.folder().root(), needs.diskBytes(), DiskSpace.usable(job.folder().root()));
  }
}

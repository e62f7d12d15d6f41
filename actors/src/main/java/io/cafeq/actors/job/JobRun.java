package io.cafeq.actors.job;

import io.cafeq.actors.job.JobEvent.PhaseChanged;
import io.cafeq.actors.memory.MemoryBudget;
import io.cafeq.actors.memory.MemoryPermits;
import io.cafeq.actors.memory.MemoryWatcher;
import io.cafeq.actors.pipeline.UnitPipeline;
import io.cafeq.actors.worker.Outcome;
import io.cafeq.actors.worker.WorkerPool;
import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.output.DiskSpace;
import io.cafeq.engine.output.Manifests;
import io.cafeq.engine.output.OutputFolder;
import io.cafeq.engine.output.ResultIdentity;
import io.cafeq.engine.output.ResumeCheck;
import io.cafeq.engine.output.SideFile;
import io.cafeq.engine.output.SideFiles;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.report.JobStatus;
import io.cafeq.engine.report.Report;
import io.cafeq.engine.report.ReportFile;
import io.cafeq.engine.report.UnitEntry;
import io.cafeq.engine.report.UnitFailure;
import io.cafeq.engine.report.UnitResult;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletionException;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Props;
import org.jspecify.annotations.Nullable;

/**
 * Takes one plan through, in an output folder that is locked and in an actor system that is
 * running. Used once.
 */
final class JobRun {
  /**
   * How long running units have to notice that they are to stop; the job has five seconds in all.
   */
  private static final Duration TIME_TO_STOP = Duration.ofSeconds(3);

  private final JobDefinition definition;
  private final JobEngine engine;
  private final OutputFolder folder;
  private final JobSystem system;
  private final JobStop stop;
  private final JobEvents events;
  private final JobStatistics statistics;
  private final ResultLedger ledger;
  private final ReportMaker reports;
  private final SideFiles sideFiles;

  JobRun(
      JobDefinition definition,
      JobEngine engine,
      OutputFolder folder,
      JobSystem system,
      JobStop stop,
      JobEvents events,
      JobStatistics statistics,
      MemoryWatcher memory) {
    this.definition = definition;
    this.engine = engine;
    this.folder = folder;
    this.system = system;
    this.stop = stop;
    this.events = events;
    this.statistics = statistics;
    this.ledger = new ResultLedger(definition.plan());
    this.reports = new ReportMaker(definition, statistics, memory);
    this.sideFiles =
        new SideFiles(definition.checkpoint().store(), definition.checkpoint().sideFiles());
  }

  /** Throws an {@link EngineException} where the job is refused before anything is changed. */
  JobResult run() {
    boolean complete = folder.hasManifest();
    try {
      List<SideFile> files = sideFiles.describe(stop.flag());
      statistics.look();
      folder.requireSame(Identities.of(definition, files, statistics.identity()));
      statistics.clean();
      folder.cleanUnits(definition.plan().units());
      keepEarlierUnits();
      List<Unit> open = ledger.open();
      if (complete
          && open.isEmpty()
          && isIntact(Identities.of(definition, files, statistics.identity()))) {
        return new JobResult.Complete(earlierReport(), true);
      }
      requirePossible(open);
      JobEngine.Opened opened = open.isEmpty() ? null : engine.open(folder);
      stop.flag().check();
      keepChoices();
      ResultIdentity identity = Identities.of(definition, files, statistics.identity());
      folder.begin(identity);
      warnOfReservedNames();
      complete = false;
      if (opened != null) {
        reports.opened(opened);
      }
      Optional<UnitFailure> failure = work(open, opened);
      boolean unfinished = !ledger.open().isEmpty() || statistics.isOpen();
      return stop.flag().isStopped() && unfinished ? stopped() : finish(identity, failure);
    } catch (EngineException e) {
      if (e.kind() != FailureKind.STOPPED) {
        throw e;
      }
      // a complete result that was only being looked at keeps its own report
      return complete ? new JobResult.Stopped(reports.make(JobStatus.STOPPED, ledger)) : stopped();
    }
  }

  /** Before the identity, so that a folder with an identity has them. */
  private void keepChoices() {
    statistics.requireSameSource();
    if (statistics.isOpen()) {
      events.emit(new PhaseChanged(Phase.MEASURING));
      statistics.prepare(MemoryBudget.of(definition.maxMemory()).pool());
    }
    if (folder.earlierIdentity().isEmpty()) {
      definition.budget().ifPresent(budget -> budget.keep(folder.planFile()));
    }
  }

  private void keepEarlierUnits() {
    events.emit(new PhaseChanged(Phase.CHECKING));
    ResumeCheck check =
        new ResumeCheck(definition.checkpoint(), folder, engine.stored(), stop.flag());
    List<String> changed =
        new EarlierUnits(system, check)
            .check(
                definition.plan().units(),
                keep -> {
                  ledger.keep(keep);
                  events.emit(
                      new JobEvent.UnitKept(
                          UnitEntry.of(new UnitResult.Kept(keep.unit(), keep.receipt()))));
                });
    if (!changed.isEmpty()) {
      throw folder.different(
          List.of("the bytes of these source tensors changed: " + String.join(", ", changed)));
    }
  }

  private boolean isIntact(ResultIdentity identity) {
    try {
      return sideFiles.areIn(folder.root(), stop.flag())
          && statistics.isWhole()
          && Manifest.read(folder.root()).equals(manifest(identity));
    } catch (EngineException e) {
      if (e.kind() == FailureKind.RESULT) {
        return false;
      }
      throw e;
    }
  }

  private Manifest manifest(ResultIdentity identity) {
    return Manifests.of(
        definition.checkpoint(),
        definition.plan(),
        definition.recipe(),
        identity,
        ledger.receipts(),
        identity.sideFiles(),
        statistics.entry());
  }

  /**
   * The report that stands there, or where somebody deleted it a new one from the units' own
   * figures.
   */
  private Report earlierReport() {
    try {
      return ReportFile.read(folder.root());
    } catch (EngineException e) {
      Report report = reports.make(JobStatus.COMPLETE, ledger);
      ReportFile.write(folder.root(), report);
      return report;
    }
  }

  private void warnOfReservedNames() {
    for (String file : SideFiles.leftOut(definition.checkpoint().sideFiles())) {
      warn(
          "The checkpoint's "
              + file
              + " does not go along: a result has a file of its own by that name.");
    }
  }

  private void requirePossible(List<Unit> open) {
    MemoryBudget budget = MemoryBudget.of(definition.maxMemory());
    open.forEach(unit -> budget.requireFits(unit, engine.memoryNeeded(unit)));
    budget.requireStatisticsFit(statistics.memoryNeeded());
    if (budget.isTight()) {
      warn(
          "The Java heap alone may take "
              + (budget.heap() >> 20)
              + " MiB, so the memory cap of "
              + (budget.cap() >> 20)
              + " MiB may be exceeded; start with a smaller -Xmx.");
    }
    long needed =
        open.stream().mapToLong(engine::diskNeeded).sum()
            + sideFiles.bytes()
            + statistics.diskNeeded();
    DiskSpace.require(folder.root(), needed, DiskSpace.usable(folder.root()));
  }

  /** Units in the order in which their statistics come; the failure of what no unit waited for. */
  private Optional<UnitFailure> work(List<Unit> open, JobEngine.@Nullable Opened opened) {
    MemoryBudget budget = MemoryBudget.of(definition.maxMemory());
    ActorRef<MemoryPermits.Command> permits =
        system.spawn(MemoryPermits.create(budget.pool()), "permits", Props.empty());
    long largest =
        open.stream().mapToLong(unit -> budget.claim(engine.memoryNeeded(unit))).max().orElse(0);
    StatisticsStage.Room room =
        new StatisticsStage.Room(budget.pool(), largest, definition.lanes());
    try (StatisticsStage stage = StatisticsStage.start(statistics, room, permits, system, events)) {
      stop.onStop(stage::stop);
      if (!stage.isBesideUnits()) {
        stage.awaitAll();
      }
      if (opened != null) {
        UnitOrder order = statistics.order(definition.plan());
        quantize(order.sorted(open), opened, permits, unit -> stage.pass(order.layer(unit)));
      }
      // where units are missing the next run takes the rest as well
      return ledger.open().isEmpty() ? stage.awaitAll() : Optional.empty();
    }
  }

  private void quantize(
      List<Unit> open,
      JobEngine.Opened opened,
      ActorRef<MemoryPermits.Command> permits,
      UnitPipeline.Gate gate) {
    events.emit(new PhaseChanged(Phase.QUANTIZING));
    ProgressBoard board = new ProgressBoard();
    events.follow(board, open.stream().mapToLong(Unit::weights).sum());
    MemoryBudget budget = MemoryBudget.of(definition.maxMemory());
    ActorRef<WorkerPool.Command> pool =
        system.spawn(
            WorkerPool.create(
                definition.lanes(),
                opened.work(),
                stop.flag(),
                (unit, lane) -> {
                  events.emit(new JobEvent.UnitStarted(unit, lane));
                  return board.begin(unit);
                }),
            "pool",
            Props.empty());
    UnitPipeline pipeline =
        new UnitPipeline(
            system.actors(),
            gate,
            permits,
            pool,
            unit -> budget.claim(engine.memoryNeeded(unit)),
            definition.lanes());
    UnitPipeline.Running running =
        pipeline.start(
            open,
            outcome -> {
              board.end(outcome.unit());
              put(outcome);
            });
    stop.onStop(
        () -> {
          pipeline.halt();
          system.after(
              TIME_TO_STOP,
              () -> running.abort(new IllegalStateException("a worker did not stop in time")));
        });
    await(running);
  }

  private void await(UnitPipeline.Running running) {
    try {
      running.end().join();
    } catch (CompletionException e) {
      if (!stop.flag().isStopped()) {
        throw new IllegalStateException("the pipeline broke", e);
      }
    }
  }

  private void put(Outcome outcome) {
    switch (ledger.put(outcome)) {
      case UnitResult.Done done -> {
        reports.wrote(done.receipt().bytes());
        events.emit(new JobEvent.UnitFinished(UnitEntry.of(done)));
      }
      case UnitResult.Failed failed -> events.emit(new JobEvent.UnitFailed(UnitEntry.of(failed)));
      case UnitResult.Kept kept -> {}
      case UnitResult.Missing missing -> {}
    }
  }

  private JobResult finish(ResultIdentity identity, Optional<UnitFailure> failure) {
    events.emit(new PhaseChanged(Phase.FINISHING));
    UnitFailure cause = ledger.cause().or(() -> failure).orElse(null);
    if (cause == null) {
      try {
        List<SideFile> copied = sideFiles.copyTo(folder.root(), stop.flag());
        requireUnchanged(identity.sideFiles(), copied);
        manifest(identity).write(folder.root());
        copied.forEach(file -> reports.wrote(file.bytes()));
        reports.wrote(ReportMaker.size(folder.root().resolve(Manifest.FILE)));
        return new JobResult.Complete(report(JobStatus.COMPLETE), false);
      } catch (EngineException e) {
        if (e.kind() == FailureKind.STOPPED) {
          throw e;
        }
        cause = UnitFailure.of(e);
        warn(cause.message() + " " + cause.remedy());
      }
    }
    return new JobResult.Partial(report(JobStatus.PARTIAL), cause);
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

  private JobResult stopped() {
    return new JobResult.Stopped(report(JobStatus.STOPPED));
  }

  /** A report that cannot be written is no reason to lose it: the caller still gets it. */
  private Report report(JobStatus status) {
    Report report = reports.make(status, ledger);
    try {
      ReportFile.write(folder.root(), report);
      return report;
    } catch (EngineException e) {
      warn(UnitFailure.of(e).message());
      return reports.make(status, ledger);
    }
  }

  private void warn(String warning) {
    reports.warn(warning);
    events.emit(new JobEvent.Warned(warning));
  }
}

package io.cafeq.actors.job;

import io.cafeq.actors.job.JobEvent.PhaseChanged;
import io.cafeq.actors.lane.JobTicket;
import io.cafeq.actors.lane.LaneHost;
import io.cafeq.actors.lane.UnitNews;
import io.cafeq.actors.pipeline.UnitPipeline;
import io.cafeq.actors.runtime.ActorRuntime;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.report.UnitEntry;
import io.cafeq.engine.report.UnitFailure;
import io.cafeq.engine.report.UnitResult;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.apache.pekko.actor.typed.javadsl.AskPattern;

/** Makes the open units of a job, in the order in which their statistics come. Used once. */
final class Execution {
  /** Opening reads headers, from wherever the checkpoint is. */
  private static final Duration TIME_TO_OPEN = Duration.ofHours(1);

  /**
   * How long running units have to notice that they are to stop; the job has five seconds in all.
   */
  private static final Duration TIME_TO_STOP = Duration.ofSeconds(3);

  private static final Duration NO_LIMIT = Duration.ofDays(200);

  private final JobScope job;
  private final ActorRuntime runtime;
  private CompletableFuture<?> released = CompletableFuture.completedFuture(null);

  Execution(JobScope job) {
    this.job = job;
    this.runtime = job.node().runtime();
  }

  /** Makes the units; the failure of what no unit waited for. */
  Optional<UnitFailure> run(List<Unit> open) {
    JobNeeds needs = JobNeeds.of(open, job.engine(), 0, 0);
    try (StatisticsStage stage =
        StatisticsStage.start(job, needs.largestClaim(job.node().budget()))) {
      job.stop().onStop(stage::stop);
      UnitOrder order = job.statistics().order(job.definition().plan());
      Optional<UnitFailure> refused =
          open.isEmpty()
              ? Optional.empty()
              : quantize(order.sorted(open), unit -> stage.pass(order.layer(unit)));
      // where units are missing the next run takes the rest as well
      return job.ledger().open().isEmpty() ? stage.awaitAll() : refused;
    }
  }

  /** Completed when no lane works for the job any more. */
  CompletableFuture<?> released() {
    return released;
  }

  /** Why the node would not have the job, if so; nothing was made then. */
  private Optional<UnitFailure> quantize(List<Unit> open, UnitPipeline.Gate gate) {
    job.events().emit(new PhaseChanged(Phase.QUANTIZING));
    Optional<UnitFailure> refused = openSite();
    if (refused.isPresent()) {
      return refused;
    }
    try {
      make(open, gate);
    } finally {
      release();
    }
    return Optional.empty();
  }

  private void make(List<Unit> open, UnitPipeline.Gate gate) {
    ProgressBoard board = new ProgressBoard();
    job.events().follow(board, open.stream().mapToLong(Unit::weights).sum());
    Map<String, Unit> byId = open.stream().collect(Collectors.toMap(Unit::id, Function.identity()));
    UnitPipeline pipeline =
        new UnitPipeline(runtime, job.node().lanes(), job.definition().id(), gate, inFlight());
    UnitPipeline.Running running =
        pipeline.start(
            open,
            new UnitPipeline.Listener(
                news -> hear(news, byId, board),
                result -> {
                  board.end(result.unit());
                  put(result);
                }));
    job.stop()
        .onStop(
            () -> {
              pipeline.stop();
              runtime.after(
                  TIME_TO_STOP,
                  () -> running.abort(new IllegalStateException("a worker did not stop in time")));
            });
    await(running);
  }

  /**
   * Twice the lanes, so that the queue of the lanes always knows of another unit of this job and
   * jobs of lower priority do not slip in between two.
   */
  private int inFlight() {
    int own = job.definition().request().settings().run().resolvedLanes();
    return own < job.node().laneCount() ? own : 2 * job.node().laneCount();
  }

  private Optional<UnitFailure> openSite() {
    JobTicket ticket =
        job.definition()
            .ticket(job.folder().root(), job.statistics().plan().choice().used().text());
    CompletableFuture<LaneHost.OpenAnswer> answer =
        AskPattern.<LaneHost.Command, LaneHost.OpenAnswer>ask(
                job.node().lanes(),
                replyTo -> new LaneHost.Open(ticket, replyTo),
                TIME_TO_OPEN,
                runtime.actors().scheduler())
            .toCompletableFuture();
    return switch (runtime.orEnd(answer).join()) {
      case LaneHost.Opened opened -> Optional.empty();
      case LaneHost.Refused(UnitFailure failure) -> Optional.of(failure);
    };
  }

  private void hear(UnitNews news, Map<String, Unit> units, ProgressBoard board) {
    Unit unit = units.get(news.unit());
    switch (news) {
      case UnitNews.Started(String id, int lane) when unit != null ->
          job.events().emit(new JobEvent.UnitStarted(unit, lane));
      case UnitNews.Started unknown -> {}
      case UnitNews.Advanced(String id, long weights) -> board.advanced(id, weights);
      case UnitNews.Answer answer -> {}
    }
  }

  private void await(UnitPipeline.Running running) {
    try {
      running.end().join();
    } catch (CompletionException e) {
      if (!job.stop().flag().isStopped()) {
        throw new IllegalStateException("the pipeline broke", e);
      }
    }
  }

  /** Where all units have ended this takes no time; a worker that hangs is not waited for. */
  private void release() {
    CompletableFuture<LaneHost.Released> answer =
        AskPattern.<LaneHost.Command, LaneHost.Released>ask(
                job.node().lanes(),
                replyTo -> new LaneHost.Release(job.definition().id(), replyTo),
                NO_LIMIT,
                runtime.actors().scheduler())
            .toCompletableFuture();
    released = runtime.orEnd(answer);
    if (!job.stop().flag().isStopped()) {
      released.join();
    }
    LaneHost.Released known = answer.getNow(null);
    if (known != null) {
      job.reports().read(known.bytesRead());
    }
  }

  private void put(UnitResult result) {
    job.ledger().put(result);
    switch (result) {
      case UnitResult.Done done -> {
        job.reports().wrote(done.receipt().bytes());
        job.events().emit(new JobEvent.UnitFinished(UnitEntry.of(done)));
      }
      case UnitResult.Failed failed ->
          job.events().emit(new JobEvent.UnitFailed(UnitEntry.of(failed)));
      case UnitResult.Kept kept -> {}
      case UnitResult.Missing missing -> {}
    }
  }
}

package io.cafeq.actors.pipeline;

import io.cafeq.actors.lane.LaneHost;
import io.cafeq.actors.lane.UnitNews;
import io.cafeq.actors.runtime.ActorRuntime;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.receipt.UnitReceipt;
import io.cafeq.engine.report.UnitFailure;
import io.cafeq.engine.report.UnitResult;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.apache.pekko.Done;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.japi.Pair;
import org.apache.pekko.stream.KillSwitches;
import org.apache.pekko.stream.UniqueKillSwitch;
import org.apache.pekko.stream.javadsl.Keep;
import org.apache.pekko.stream.javadsl.Sink;
import org.apache.pekko.stream.javadsl.Source;

/**
 * Takes the units of one job, in order, through a gate and to the lanes of a node. A unit waits at
 * the gate until what it needs is there. A failed unit does not stop the others, but one that
 * failed for a reason that all will meet (a full disk) lets no further one begin. Used once.
 */
public final class UnitPipeline {
  private final ActorRuntime runtime;
  private final ActorRef<LaneHost.Command> lanes;
  private final String job;
  private final Gate gate;
  private final int inFlight;
  private final Map<String, CompletableFuture<UnitNews.Answer>> asked = new ConcurrentHashMap<>();
  private final AtomicBoolean halted = new AtomicBoolean();

  /** What a unit waits for before it asks for a lane. Thread-safe. */
  @FunctionalInterface
  public interface Gate {
    /** Open to all. */
    Gate OPEN = unit -> CompletableFuture.completedStage(Optional.empty());

    /** Completed when the unit may go on; with a reason when it never can. */
    CompletionStage<Optional<UnitFailure>> pass(Unit unit);
  }

  /**
   * Hears of units; one call at a time for each unit, and the result comes last.
   *
   * @param news of units that run
   * @param results one for each unit, one at a time
   */
  public record Listener(Consumer<UnitNews> news, Consumer<UnitResult> results) {}

  /**
   * @param job open at {@code lanes}
   * @param inFlight units that are asked for at the same time; the next ones wait in order
   */
  public UnitPipeline(
      ActorRuntime runtime, ActorRef<LaneHost.Command> lanes, String job, Gate gate, int inFlight) {
    this.runtime = runtime;
    this.lanes = lanes;
    this.job = job;
    this.gate = gate;
    this.inFlight = inFlight;
  }

  /** Starts at once; called once. */
  public Running start(List<Unit> units, Listener listener) {
    ActorRuntime.Spawned<UnitNews> desk =
        runtime.spawn(
            Behaviors.receiveMessage(
                news -> {
                  receive(news, listener);
                  return Behaviors.same();
                }),
            "desk-" + job);
    Pair<UniqueKillSwitch, CompletionStage<Done>> stream =
        Source.from(units)
            // one at a time, so that units reach the lanes in their order
            .mapAsync(1, this::atGate)
            .mapAsyncUnordered(inFlight, gated -> process(gated, desk))
            // after the lanes: before them it would have no hold on the last units, whose source
            // has already ended
            .viaMat(KillSwitches.single(), Keep.right())
            .toMat(Sink.foreach(listener.results()::accept), Keep.both())
            .run(runtime.actors());
    return new Running(stream.first(), stream.second().toCompletableFuture());
  }

  /** Lets no further unit begin; those under way go on. Safe from any thread. */
  public void halt() {
    halted.set(true);
    lanes.tell(new LaneHost.Withdraw(job));
  }

  /** Lets no further unit begin and asks those under way to stop. Safe from any thread. */
  public void stop() {
    halted.set(true);
    lanes.tell(new LaneHost.Cancel(job));
  }

  /** A started pipeline. */
  public static final class Running {
    private final UniqueKillSwitch killSwitch;
    private final CompletableFuture<Done> end;

    private Running(UniqueKillSwitch killSwitch, CompletableFuture<Done> end) {
      this.killSwitch = killSwitch;
      this.end = end;
    }

    /**
     * Completed after the last result; exceptionally if the pipeline itself broke or was aborted.
     */
    public CompletableFuture<Done> end() {
      return end;
    }

    /** Ends it now, whatever the lanes do. */
    public void abort(RuntimeException reason) {
      killSwitch.abort(reason);
    }
  }

  /** A unit that came through the gate, or did not. */
  private record Gated(Unit unit, Optional<UnitFailure> failure) {}

  private CompletionStage<Gated> atGate(Unit unit) {
    // a gate may stay closed for long, and who was halted need not wait
    return halted.get()
        ? CompletableFuture.completedStage(new Gated(unit, Optional.empty()))
        : gate.pass(unit)
            .thenApplyAsync(
                failure -> new Gated(unit, failure), runtime.actors().executionContext());
  }

  /**
   * Executors are named, since the stages else run on the common pool, which others may have
   * filled.
   */
  private CompletionStage<UnitResult> process(Gated gated, ActorRuntime.Spawned<UnitNews> desk) {
    Unit unit = gated.unit();
    if (gated.failure().isPresent()) {
      return CompletableFuture.completedStage(failed(unit, gated.failure().get()));
    }
    if (halted.get()) {
      return CompletableFuture.completedStage(new UnitResult.Missing(unit));
    }
    CompletableFuture<UnitNews.Answer> answer = new CompletableFuture<>();
    asked.put(unit.id(), answer);
    lanes.tell(new LaneHost.Process(job, unit.id(), desk.ref()));
    return desk.orBroken(answer)
        .thenApplyAsync(last -> result(unit, last), runtime.actors().executionContext());
  }

  private void receive(UnitNews news, Listener listener) {
    switch (news) {
      case UnitNews.Started started -> listener.news().accept(started);
      case UnitNews.Advanced advanced -> listener.news().accept(advanced);
      case UnitNews.Answer answer -> {
        CompletableFuture<UnitNews.Answer> waiting = asked.remove(answer.unit());
        if (waiting != null) {
          waiting.complete(answer);
        }
      }
    }
  }

  private UnitResult result(Unit unit, UnitNews.Answer answer) {
    return switch (answer) {
      case UnitNews.Made(String id, UnitReceipt receipt) -> new UnitResult.Done(unit, receipt);
      case UnitNews.Failed(String id, UnitFailure failure) -> {
        if (failure.kind() == FailureKind.ENVIRONMENT) {
          halt();
        }
        yield failed(unit, failure);
      }
      case UnitNews.NotMade notMade -> new UnitResult.Missing(unit);
    };
  }

  private static UnitResult failed(Unit unit, UnitFailure failure) {
    return failure.kind() == FailureKind.STOPPED
        ? new UnitResult.Missing(unit)
        : new UnitResult.Failed(unit, failure);
  }
}

package io.cafeq.actors.pipeline;

import io.cafeq.actors.memory.MemoryPermits;
import io.cafeq.actors.worker.Outcome;
import io.cafeq.actors.worker.WorkerPool;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.report.UnitFailure;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.function.ToLongFunction;
import org.apache.pekko.Done;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.javadsl.AskPattern;
import org.apache.pekko.japi.Pair;
import org.apache.pekko.stream.KillSwitches;
import org.apache.pekko.stream.UniqueKillSwitch;
import org.apache.pekko.stream.javadsl.Keep;
import org.apache.pekko.stream.javadsl.Sink;
import org.apache.pekko.stream.javadsl.Source;

/**
 * Takes units, in order, through a gate, memory permits and the worker pool. A unit waits at the
 * gate until what it needs is there. As many units are under way as there are lanes; the memory of
 * all of them together never exceeds the pool. A failed unit does not stop the others, but one that
 * failed for a reason that all will meet (a full disk) lets no further one begin.
 */
public final class UnitPipeline {
  /**
   * Units may take hours, and the answer comes for certain: if an actor breaks, the system ends.
   */
  private static final Duration NO_LIMIT = Duration.ofDays(200);

  private final ActorSystem<?> system;
  private final ActorRef<MemoryPermits.Command> permits;
  private final ActorRef<WorkerPool.Command> pool;
  private final Gate gate;
  private final ToLongFunction<Unit> memoryNeeded;
  private final int lanes;
  private final AtomicBoolean halted = new AtomicBoolean();

  /** What a unit waits for before it asks for memory. Thread-safe. */
  @FunctionalInterface
  public interface Gate {
    /** Open to all. */
    Gate OPEN = unit -> CompletableFuture.completedStage(Optional.empty());

    /** Completed when the unit may go on; with a reason when it never can. */
    CompletionStage<Optional<UnitFailure>> pass(Unit unit);
  }

  public UnitPipeline(
      ActorSystem<?> system,
      Gate gate,
      ActorRef<MemoryPermits.Command> permits,
      ActorRef<WorkerPool.Command> pool,
      ToLongFunction<Unit> memoryNeeded,
      int lanes) {
    this.system = system;
    this.gate = gate;
    this.permits = permits;
    this.pool = pool;
    this.memoryNeeded = memoryNeeded;
    this.lanes = lanes;
  }

  /**
   * Starts at once; called once.
   *
   * @param outcomes is told every unit's outcome, one at a time, as they come
   */
  public Running start(List<Unit> units, Consumer<Outcome> outcomes) {
    Pair<UniqueKillSwitch, CompletionStage<Done>> stream =
        Source.from(units)
            // one at a time, so that units reach the workers in their order; the next one's permit
            // may wait for a lane
            .mapAsync(1, this::atGate)
            .mapAsync(1, this::admit)
            .mapAsyncUnordered(lanes, this::process)
            // after the workers: before them it would have no hold on the last units, whose source
            // has already ended
            .viaMat(KillSwitches.single(), Keep.right())
            .toMat(Sink.foreach(outcomes::accept), Keep.both())
            .run(system);
    return new Running(stream.first(), stream.second().toCompletableFuture());
  }

  /** Lets no further unit begin; those under way go on. Safe from any thread. */
  public void halt() {
    halted.set(true);
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
     * Completed after the last outcome; exceptionally if the pipeline itself broke or was aborted.
     */
    public CompletableFuture<Done> end() {
      return end;
    }

    /** Ends it now, whatever its workers do. */
    public void abort(RuntimeException reason) {
      killSwitch.abort(reason);
    }
  }

  /** A unit that came through the gate, or did not. */
  private record Gated(Unit unit, Optional<UnitFailure> failure) {}

  /** A unit on its way into a lane. */
  private sealed interface Admission {}

  /** With what the memory permits said. */
  private record Asked(Unit unit, MemoryPermits.Answer answer) implements Admission {}

  /** It never asked. */
  private record Refused(Outcome outcome) implements Admission {}

  private CompletionStage<Gated> atGate(Unit unit) {
    // a gate may stay closed for long, and who was halted need not wait
    return halted.get()
        ? CompletableFuture.completedStage(new Gated(unit, Optional.empty()))
        : gate.pass(unit)
            .thenApplyAsync(failure -> new Gated(unit, failure), system.executionContext());
  }

  /**
   * Executors are named, since the stages of an ask else run on the common pool, which others may
   * have filled.
   */
  private CompletionStage<Admission> admit(Gated gated) {
    Unit unit = gated.unit();
    if (gated.failure().isPresent()) {
      return CompletableFuture.completedStage(
          new Refused(new Outcome.Failed(unit, gated.failure().get())));
    }
    if (halted.get()) {
      return CompletableFuture.completedStage(new Refused(new Outcome.NotStarted(unit)));
    }
    long bytes = memoryNeeded.applyAsLong(unit);
    return AskPattern.<MemoryPermits.Command, MemoryPermits.Answer>ask(
            permits,
            replyTo -> new MemoryPermits.Acquire(bytes, replyTo),
            NO_LIMIT,
            system.scheduler())
        .thenApplyAsync(answer -> new Asked(unit, answer), system.executionContext());
  }

  private CompletionStage<Outcome> process(Admission admission) {
    return switch (admission) {
      case Asked(Unit unit, MemoryPermits.Permit permit) -> work(unit, permit);
      case Asked(Unit unit, MemoryPermits.TooLarge tooLarge) ->
          CompletableFuture.completedStage(new Outcome.Failed(unit, failure(unit, tooLarge)));
      case Refused(Outcome outcome) -> CompletableFuture.completedStage(outcome);
    };
  }

  private CompletionStage<Outcome> work(Unit unit, MemoryPermits.Permit permit) {
    CompletionStage<Outcome> outcome =
        halted.get()
            ? CompletableFuture.completedStage(new Outcome.NotStarted(unit))
            : AskPattern.<WorkerPool.Command, Outcome>ask(
                pool,
                replyTo -> new WorkerPool.Process(unit, replyTo),
                NO_LIMIT,
                system.scheduler());
    // Before the stream hears of the outcome, since it begins the next unit as soon as it does.
    return outcome.whenCompleteAsync(
        (done, failure) -> {
          if (done != null) {
            haltOnEnvironment(done);
          }
          permits.tell(new MemoryPermits.Release(permit));
        },
        system.executionContext());
  }

  private void haltOnEnvironment(Outcome outcome) {
    if (outcome instanceof Outcome.Failed(Unit unit, UnitFailure failure)
        && failure.kind() == FailureKind.ENVIRONMENT) {
      halt();
    }
  }

  private static UnitFailure failure(Unit unit, MemoryPermits.TooLarge tooLarge) {
    return new UnitFailure(
        FailureKind.USAGE,
        "unit "
            + unit.id()
            + " needs "
            + tooLarge.bytes()
            + " bytes of memory at once, but all lanes together have "
            + tooLarge.pool(),
        "Run the same command again with a larger --max-memory.");
  }
}

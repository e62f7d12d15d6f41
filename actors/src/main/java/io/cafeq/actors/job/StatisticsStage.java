package io.cafeq.actors.job;

import io.cafeq.actors.measure.LayerKeeper;
import io.cafeq.actors.memory.MemoryPermits;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.report.UnitFailure;
import java.time.Duration;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Props;
import org.apache.pekko.actor.typed.javadsl.AskPattern;
import org.jspecify.annotations.Nullable;

/**
 * Statistics that are taken while units are worked on, or before them where both do not fit into
 * memory at the same time. What the pass takes is claimed from the start until its end, so that it
 * never waits for memory that units have. Thread-safe.
 */
final class StatisticsStage implements AutoCloseable {
  /**
   * A layer may take hours. If an actor breaks, the system ends, which whoever waits here notices.
   */
  private static final Duration NO_LIMIT = Duration.ofDays(200);

  /** How long the pass has to notice that it is to stop; the job has five seconds in all. */
  private static final Duration TIME_TO_STOP = Duration.ofSeconds(3);

  /**
   * What memory there is.
   *
   * @param pool that units and statistics share
   * @param largestUnit claim of any unit
   */
  record Room(long pool, long largestUnit, int lanes) {
    /** Whether the pass and one unit have room at the same time. */
    boolean isForBoth(long needed) {
      return needed + largestUnit <= pool;
    }

    /** What the pass gets: what the lanes leave, at least what it needs. */
    long share(long needed) {
      return isForBoth(needed) ? Math.max(needed, pool - largestUnit * lanes) : pool;
    }
  }

  private final JobSystem system;
  private final @Nullable ActorRef<LayerKeeper.Command> keeper;
  private final int last;
  private final boolean besideUnits;
  private final StopFlag stop;
  private final CompletableFuture<Void> givenUp = new CompletableFuture<>();

  private StatisticsStage(
      JobSystem system,
      @Nullable ActorRef<LayerKeeper.Command> keeper,
      int last,
      boolean besideUnits,
      StopFlag stop) {
    this.system = system;
    this.keeper = keeper;
    this.last = last;
    this.besideUnits = besideUnits;
    this.stop = stop;
  }

  /** Begins with the first layer at once; does nothing where no layer is missing. */
  static StatisticsStage start(
      JobStatistics statistics,
      Room room,
      ActorRef<MemoryPermits.Command> permits,
      JobSystem system,
      JobEvents events) {
    // its own, since a job that ends with units missing does not wait for layers that nobody asked
    // for
    StopFlag stop = new StopFlag();
    if (!statistics.isOpen()) {
      return new StatisticsStage(system, null, 0, true, stop);
    }
    long needed = statistics.memoryNeeded();
    MemoryPermits.Permit permit = claim(permits, room.share(needed), system);
    int end = statistics.folder().missing().last() + 1;
    LayerKeeper.Task task =
        new LayerKeeper.Task(
            statistics.folder().missing().first(),
            end,
            statistics.folder()::isReady,
            statistics.work(permit.bytes(), stop),
            layer -> events.emit(new JobEvent.StatisticsAdvanced(layer + 1, end)),
            () -> permits.tell(new MemoryPermits.Release(permit)));
    ActorRef<LayerKeeper.Command> keeper =
        system.spawn(LayerKeeper.create(task), "statistics", Props.empty());
    return new StatisticsStage(system, keeper, end - 1, room.isForBoth(needed), stop);
  }

  private static MemoryPermits.Permit claim(
      ActorRef<MemoryPermits.Command> permits, long bytes, JobSystem system) {
    CompletableFuture<MemoryPermits.Answer> answer =
        AskPattern.<MemoryPermits.Command, MemoryPermits.Answer>ask(
                permits,
                replyTo -> new MemoryPermits.Acquire(bytes, replyTo),
                NO_LIMIT,
                system.actors().scheduler())
            .toCompletableFuture();
    return switch (system.orEnd(answer).join()) {
      case MemoryPermits.Permit permit -> permit;
      case MemoryPermits.TooLarge tooLarge ->
          throw new IllegalStateException(
              tooLarge.bytes() + " bytes for statistics were found to fit before");
    };
  }

  /** Whether units may begin while layers are measured. */
  boolean isBesideUnits() {
    return besideUnits;
  }

  /** Completed when the statistics of a layer stand; with the reason when they never will. */
  CompletionStage<Optional<UnitFailure>> pass(OptionalInt layer) {
    ActorRef<LayerKeeper.Command> asked = keeper;
    if (asked == null || layer.isEmpty()) {
      return CompletableFuture.completedStage(Optional.empty());
    }
    return AskPattern.<LayerKeeper.Command, LayerKeeper.Answer>ask(
            asked,
            replyTo -> new LayerKeeper.Await(layer.getAsInt(), replyTo),
            NO_LIMIT,
            system.actors().scheduler())
        .thenApplyAsync(
            answer ->
                switch (answer) {
                  case LayerKeeper.Ready ready -> Optional.empty();
                  case LayerKeeper.Failed(UnitFailure failure) -> Optional.of(failure);
                },
            system.actors().executionContext());
  }

  /**
   * Waits until all layers stand, or one never will: then with the reason. Not for long once the
   * job is to stop.
   */
  Optional<UnitFailure> awaitAll() {
    try {
      CompletableFuture<Optional<UnitFailure>> all =
          pass(OptionalInt.of(last)).toCompletableFuture();
      CompletableFuture.anyOf(system.orEnd(all), givenUp).join();
      return all.getNow(Optional.empty());
    } catch (CompletionException e) {
      if (stop.isStopped()) {
        return Optional.empty();
      }
      throw new IllegalStateException("the statistics broke", e);
    }
  }

  /**
   * The job is to stop: who waits for all layers waits only a moment longer. Safe from any thread.
   */
  void stop() {
    stop.stop();
    system.after(TIME_TO_STOP, () -> givenUp.complete(null));
  }

  /** Lets no further layer be measured. */
  @Override
  public void close() {
    stop.stop();
  }
}

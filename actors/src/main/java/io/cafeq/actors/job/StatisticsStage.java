package io.cafeq.actors.job;

import io.cafeq.actors.measure.LayerKeeper;
import io.cafeq.actors.runtime.ActorRuntime;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.report.UnitFailure;
import java.time.Duration;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import org.apache.pekko.actor.typed.javadsl.AskPattern;
import org.jspecify.annotations.Nullable;

/**
 * Statistics that are taken while units are worked on. Where others wait for the memory that the
 * pass holds, it runs ahead to its end and gives it back. Thread-safe.
 */
final class StatisticsStage implements AutoCloseable {
  /** A layer may take hours. */
  private static final Duration NO_LIMIT = Duration.ofDays(200);

  /** How long the pass has to notice that it is to stop; the job has five seconds in all. */
  private static final Duration TIME_TO_STOP = Duration.ofSeconds(3);

  private final ActorRuntime runtime;
  private final ActorRuntime.@Nullable Spawned<LayerKeeper.Command> keeper;
  private final int last;
  private final StopFlag stop;
  private final CompletableFuture<Void> givenUp = new CompletableFuture<>();

  private StatisticsStage(
      ActorRuntime runtime,
      ActorRuntime.@Nullable Spawned<LayerKeeper.Command> keeper,
      int last,
      StopFlag stop) {
    this.runtime = runtime;
    this.keeper = keeper;
    this.last = last;
    this.stop = stop;
  }

  /**
   * Begins with the first layer as soon as there is memory; does nothing where no layer is missing.
   *
   * @param largestUnit claim of any unit; beside one for each lane the pass takes what there is
   */
  static StatisticsStage start(JobScope job, long largestUnit) {
    // its own, since a job that ends with units missing does not wait for layers that no unit
    // asked for
    StopFlag stop = new StopFlag();
    JobStatistics statistics = job.statistics();
    ActorRuntime runtime = job.node().runtime();
    if (!statistics.isOpen()) {
      return new StatisticsStage(runtime, null, 0, stop);
    }
    long least = statistics.memoryNeeded();
    long beside = job.node().budget().pool() - largestUnit * job.node().laneCount();
    int end = statistics.folder().missing().last() + 1;
    LayerKeeper.Task task =
        new LayerKeeper.Task(
            statistics.folder().missing().first(),
            end,
            statistics.folder()::isReady,
            bytes -> statistics.work(bytes, stop),
            layer -> job.events().emit(new JobEvent.StatisticsAdvanced(layer + 1, end)));
    LayerKeeper.Memory memory =
        new LayerKeeper.Memory(
            job.node().lanes(),
            job.definition().id(),
            job.definition().request().priority(),
            least,
            statistics.memoryUsable(beside));
    return new StatisticsStage(
        runtime,
        runtime.spawn(LayerKeeper.create(task, memory), "statistics-" + job.definition().id()),
        end - 1,
        stop);
  }

  /** Completed when the statistics of a layer are there; with the reason when they never will. */
  CompletionStage<Optional<UnitFailure>> pass(OptionalInt layer) {
    ActorRuntime.Spawned<LayerKeeper.Command> asked = keeper;
    if (asked == null || layer.isEmpty()) {
      return CompletableFuture.completedStage(Optional.empty());
    }
    CompletableFuture<LayerKeeper.Answer> answer =
        AskPattern.<LayerKeeper.Command, LayerKeeper.Answer>ask(
                asked.ref(),
                replyTo -> new LayerKeeper.Await(layer.getAsInt(), replyTo),
                NO_LIMIT,
                runtime.actors().scheduler())
            .toCompletableFuture();
    return asked
        .orBroken(answer)
        .thenApplyAsync(
            told ->
                switch (told) {
                  case LayerKeeper.Ready ready -> Optional.empty();
                  case LayerKeeper.Failed(UnitFailure failure) -> Optional.of(failure);
                },
            runtime.actors().executionContext());
  }

  /**
   * Waits until all layers are there, or one never will: then with the reason. Not for long once
   * the job is to stop.
   */
  Optional<UnitFailure> awaitAll() {
    try {
      CompletableFuture<Optional<UnitFailure>> all =
          pass(OptionalInt.of(last)).toCompletableFuture();
      CompletableFuture.anyOf(all, givenUp).join();
      return all.getNow(Optional.empty());
    } catch (CompletionException e) {
      if (stop.isStopped()) {
        return Optional.empty();
      }
      throw new IllegalStateException("taking statistics failed", e);
    }
  }

  /** The job is to stop: who waits for all layers waits only a moment longer. Thread-safe. */
  void stop() {
    close();
    runtime.after(TIME_TO_STOP, () -> givenUp.complete(null));
  }

  /** Lets no further layer be measured, and gives the memory back. */
  @Override
  public void close() {
    stop.stop();
    ActorRuntime.Spawned<LayerKeeper.Command> open = keeper;
    if (open != null) {
      open.ref().tell(new LayerKeeper.End());
    }
  }
}

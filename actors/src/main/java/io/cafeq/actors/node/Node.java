package io.cafeq.actors.node;

import io.cafeq.actors.lane.LaneHost;
import io.cafeq.actors.lane.LocalTasks;
import io.cafeq.actors.memory.MemoryBudget;
import io.cafeq.actors.memory.MemoryWatcher;
import io.cafeq.actors.runtime.ActorRuntime;
import io.cafeq.engine.budget.MeasuringLanes;
import io.cafeq.engine.compute.Compute;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.output.FolderLocks;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Supplier;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.javadsl.AskPattern;

/**
 * What a process lends its jobs. Thread-safe; borrowed.
 *
 * @param lanes the node's {@link LaneHost}
 * @param tasks of the same node
 * @param budget how the memory cap is divided
 * @param laneCount units that are worked on at the same time
 * @param locks of the folders that jobs of this process write
 * @param compute opens backend and learner with the first call; throws where they do not work here
 */
public record Node(
    ActorRuntime runtime,
    ActorRef<LaneHost.Command> lanes,
    LocalTasks tasks,
    MemoryBudget budget,
    int laneCount,
    MemoryWatcher watcher,
    Supplier<Compute> compute,
    FolderLocks locks) {
  /**
   * A claim may wait for hours. If an actor breaks, the system ends, which whoever waits notices.
   */
  private static final Duration NO_LIMIT = Duration.ofDays(200);

  /** Memory that was claimed; closing gives it back. */
  public record HeldMemory(long bytes, Runnable giveBack) implements AutoCloseable {
    @Override
    public void close() {
      giveBack.run();
    }
  }

  /**
   * Claims memory for work on the caller's own thread; blocks until it is free.
   *
   * @param job whose work it is
   * @param purpose a word or two that say for what
   * @param least bytes without which the work cannot be done
   * @param most bytes that it can make use of
   * @param stop of the job
   * @throws EngineException with kind USAGE where there is not so much at all, STOPPED where the
   *     job was cancelled
   */
  public HeldMemory claim(
      String job, String purpose, int priority, long least, long most, StopFlag stop) {
    CompletableFuture<LaneHost.ClaimAnswer> answer =
        AskPattern.<LaneHost.Command, LaneHost.ClaimAnswer>ask(
                lanes,
                replyTo -> new LaneHost.Claim(job, purpose, priority, least, most, null, replyTo),
                NO_LIMIT,
                runtime.actors().scheduler())
            .toCompletableFuture();
    if (stop.isStopped()) {
      // the wish to stop may have come before this claim did
      lanes.tell(new LaneHost.Cancel(job));
    }
    return switch (runtime.orEnd(answer).join()) {
      case LaneHost.Granted(long claim, long bytes) ->
          new HeldMemory(bytes, () -> lanes.tell(new LaneHost.GiveBack(claim)));
      case LaneHost.TooLarge(long bytes, long pool) -> throw budget.tooLarge(purpose, bytes);
      case LaneHost.Withdrawn withdrawn ->
          throw new EngineException(
              FailureKind.STOPPED, "stopped on request", "Run the same command again to continue.");
    };
  }

  /** Lanes for measurements: each claims its memory and takes its turn among the units. */
  public MeasuringLanes measuring(String job, int priority) {
    return new MeasuringLanes() {
      @Override
      public <R> List<R> all(List<Task<R>> measurements) {
        List<CompletableFuture<R>> running = new ArrayList<>();
        for (Task<R> measurement : measurements) {
          LocalTasks.Registered<R> task = tasks.register(measurement.work());
          running.add(runtime.orEnd(task.result()));
          lanes.tell(
              new LaneHost.RunTask(job, "planning", priority, task.id(), measurement.memory()));
        }
        return join(running);
      }
    };
  }

  /**
   * Runs work on a lane when it is the caller's turn and its memory is free; blocks until it has
   * ended, and throws what it throws.
   */
  public <R> R onLane(String job, String purpose, long bytes, Callable<R> work) {
    LocalTasks.Registered<R> task = tasks.register(work);
    lanes.tell(new LaneHost.RunTask(job, purpose, 0, task.id(), bytes));
    return join(List.of(runtime.orEnd(task.result()))).getFirst();
  }

  /** All are waited for before a failure is thrown, since they read what the caller closes. */
  private static <R> List<R> join(List<CompletableFuture<R>> running) {
    List<R> results = new ArrayList<>();
    RuntimeException first = null;
    for (CompletableFuture<R> result : running) {
      try {
        results.add(result.join());
      } catch (CompletionException e) {
        RuntimeException failure =
            switch (e.getCause()) {
              case RuntimeException known -> known;
              case Error error -> throw error;
              case null, default -> new IllegalStateException(e);
            };
        first = first == null ? failure : first;
      }
    }
    if (first != null) {
      throw first;
    }
    return results;
  }
}

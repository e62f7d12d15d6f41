package io.cafeq.actors.lane;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * Decides whose turn it is: the highest priority first; among equals the job that has the fewest
 * requests running, so that jobs share the lanes; within a job the order in which it asked.
 * Confined to its actor.
 */
final class Turns {
  private final List<Waiting> waiting = new ArrayList<>();
  private final Map<String, Integer> running = new HashMap<>();

  /**
   * A request that waits for memory, and for a lane unless it is for memory alone.
   *
   * @param least bytes without which it cannot begin
   */
  record Waiting(String job, int priority, long least, Work work) {
    boolean needsLane() {
      return !(work instanceof Work.OfMemory);
    }
  }

  /** What was asked for. */
  sealed interface Work {
    record OfUnit(LaneHost.Process process) implements Work {}

    /** A task of this node. */
    record OfTask(LaneHost.RunTask task) implements Work {}

    /** Memory alone. */
    record OfMemory(LaneHost.Claim claim) implements Work {}
  }

  void add(Waiting request) {
    waiting.add(request);
  }

  /** Whose turn it is; requests for lanes only where a lane is idle. It stays in the queue. */
  Optional<Waiting> next(boolean laneIsIdle) {
    Comparator<Waiting> order =
        Comparator.comparingInt((Waiting request) -> -request.priority())
            .thenComparingInt(request -> running.getOrDefault(request.job(), 0));
    // the sort is stable: within a job, and among equal jobs, by arrival
    return waiting.stream()
        .filter(request -> laneIsIdle || !request.needsLane())
        .sorted(order)
        .findFirst();
  }

  /** The request leaves the queue and runs until {@link #ended}. */
  void begin(Waiting request) {
    waiting.remove(request);
    if (request.needsLane()) {
      running.merge(request.job(), 1, Integer::sum);
    }
  }

  /** One that ran has ended. */
  void ended(String job) {
    running.computeIfPresent(job, (id, count) -> count == 1 ? null : count - 1);
  }

  /** Whether anything of the job runs on a lane. */
  boolean isRunning(String job) {
    return running.containsKey(job);
  }

  /** Takes those that {@code test} picks out of the queue. */
  List<Waiting> remove(Predicate<Waiting> test) {
    List<Waiting> removed = waiting.stream().filter(test).toList();
    waiting.removeAll(removed);
    return removed;
  }
}

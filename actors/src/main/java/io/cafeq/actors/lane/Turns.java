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

  /** A request that waits for memory, and for a lane unless it is for memory alone. */
  sealed interface Waiting {
    String job();

    int priority();

    /** Bytes without which it cannot begin. */
    long least();

    /** A unit that was asked for. */
    record OfUnit(LaneHost.Process process, int priority, long least) implements Waiting {
      @Override
      public String job() {
        return process.job();
      }
    }

    /** A task of this node. */
    record OfTask(LaneHost.RunTask task) implements Waiting {
      @Override
      public String job() {
        return task.job();
      }

      @Override
      public int priority() {
        return task.priority();
      }

      @Override
      public long least() {
        return task.bytes();
      }
    }

    /** Memory alone. */
    record OfMemory(LaneHost.Claim claim) implements Waiting {
      @Override
      public String job() {
        return claim.job();
      }

      @Override
      public int priority() {
        return claim.priority();
      }

      @Override
      public long least() {
        return claim.least();
      }
    }
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
        .filter(request -> laneIsIdle || request instanceof Waiting.OfMemory)
        .sorted(order)
        .findFirst();
  }

  /** The request leaves the queue and runs until {@link #ended}. */
  void begin(Waiting request) {
    waiting.remove(request);
    if (!(request instanceof Waiting.OfMemory)) {
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

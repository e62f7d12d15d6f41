package io.cafeq.actors.lane;

import java.util.ArrayDeque;
import java.util.Collection;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.javadsl.ActorContext;

/**
 * A node's workers: which of them are idle, and what the others do. A worker that breaks is
 * replaced on its lane, with fresh native memory. Confined to the actor whose context it has.
 */
final class Lanes {
  private static final String LANE_DISPATCHER = "cafeq-actors.lane-dispatcher";

  private final ActorContext<?> context;
  private final LocalTasks tasks;
  private final ActorRef<Worker.Idle> host;
  private final Deque<ActorRef<Worker.Command>> idle = new ArrayDeque<>();
  private final Map<ActorRef<Worker.Command>, Job> busy = new HashMap<>();
  private final Map<ActorRef<Worker.Command>, Integer> lanes = new HashMap<>();
  private int spawned;

  /** What a worker does, and the memory that it holds for it. */
  record Job(String job, long claim, Worker.Command command) {}

  Lanes(ActorContext<?> context, int count, LocalTasks tasks, ActorRef<Worker.Idle> host) {
    this.context = context;
    this.tasks = tasks;
    this.host = host;
    for (int lane = 0; lane < count; lane++) {
      idle.add(spawn(lane));
    }
  }

  boolean hasIdle() {
    return !idle.isEmpty();
  }

  /** Hands the work to an idle lane. */
  void start(Job job) {
    ActorRef<Worker.Command> worker = idle.remove();
    busy.put(worker, job);
    worker.tell(job.command());
  }

  /** What the worker did. */
  Job idle(ActorRef<Worker.Command> worker) {
    idle.add(worker);
    return Objects.requireNonNull(busy.remove(worker), "a lane that did nothing is idle again");
  }

  /** What the broken worker did, if anything; its lane has a new one. */
  Optional<Job> replace(ActorRef<Worker.Command> broken) {
    int lane = Objects.requireNonNull(lanes.remove(broken), "a worker without a lane");
    context.getLog().warn("Lane {} is replaced", lane);
    idle.remove(broken);
    idle.add(spawn(lane));
    return Optional.ofNullable(busy.remove(broken));
  }

  Collection<Job> running() {
    return busy.values();
  }

  /** Closes what lanes have open for the job. */
  void close(String job) {
    lanes.keySet().forEach(worker -> worker.tell(new Worker.Close(job)));
  }

  private ActorRef<Worker.Command> spawn(int lane) {
    ActorRef<Worker.Command> worker =
        context.spawn(
            Worker.create(lane, tasks, host),
            "lane-" + lane + "-" + spawned++,
            DispatcherSelector.fromConfig(LANE_DISPATCHER));
    context.watch(worker);
    lanes.put(worker, lane);
    return worker;
  }
}

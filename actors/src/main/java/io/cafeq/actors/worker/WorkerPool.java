package io.cafeq.actors.worker;

import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.report.UnitFailure;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.ChildFailed;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.javadsl.AbstractBehavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.Receive;

/**
 * Supervises one worker a lane and hands units to idle ones in the order in which they were asked
 * for. A worker that breaks fails its unit and is replaced on its lane, with fresh native memory;
 * the others never notice.
 */
public final class WorkerPool extends AbstractBehavior<WorkerPool.Command> {
  private static final String LANE_DISPATCHER = "cafeq-actors.lane-dispatcher";

  /** What the pool is asked. */
  public sealed interface Command {}

  /** Takes the unit through on the next idle lane. */
  public record Process(Unit unit, ActorRef<Outcome> replyTo) implements Command {}

  private record Answered(Worker.Answer answer) implements Command {}

  private final UnitWork.Factory factory;
  private final StopFlag stop;
  private final WorkWatcher watcher;
  private final ActorRef<Worker.Answer> answers;
  private final Deque<ActorRef<Worker.Run>> idle = new ArrayDeque<>();
  private final Deque<Process> waiting = new ArrayDeque<>();
  private final Map<ActorRef<Worker.Run>, Process> busy = new HashMap<>();
  private final Map<ActorRef<Worker.Run>, Integer> lanes = new HashMap<>();
  private int spawned;

  private WorkerPool(
      ActorContext<Command> context,
      int lanes,
      UnitWork.Factory factory,
      StopFlag stop,
      WorkWatcher watcher) {
    super(context);
    this.factory = factory;
    this.stop = stop;
    this.watcher = watcher;
    this.answers = context.messageAdapter(Worker.Answer.class, Answered::new);
    for (int lane = 0; lane < lanes; lane++) {
      idle.add(spawnWorker(lane));
    }
  }

  /** A pool of {@code lanes} workers, each with work of its own from {@code factory}. */
  public static Behavior<Command> create(
      int lanes, UnitWork.Factory factory, StopFlag stop, WorkWatcher watcher) {
    return Behaviors.setup(context -> new WorkerPool(context, lanes, factory, stop, watcher));
  }

  @Override
  public Receive<Command> createReceive() {
    return newReceiveBuilder()
        .onMessage(Command.class, this::receive)
        .onSignal(ChildFailed.class, this::replace)
        .build();
  }

  private Behavior<Command> receive(Command command) {
    switch (command) {
      case Process process -> waiting.add(process);
      case Answered(Worker.Answer answer) -> {
        finish(answer.worker(), answer.outcome());
        idle.add(answer.worker());
      }
    }
    feed();
    return this;
  }

  private Behavior<Command> replace(ChildFailed failed) {
    ActorRef<Worker.Run> worker = failed.getRef().unsafeUpcast();
    int lane = Objects.requireNonNull(lanes.remove(worker), "a worker without a lane");
    getContext().getLog().warn("lane {} is replaced", lane);
    Process process = busy.get(worker);
    if (process != null) {
      UnitFailure failure =
          new UnitFailure(
              FailureKind.RESULT,
              "unit "
                  + process.unit().id()
                  + " met a fault of this program: "
                  + failed.getCause().getMessage(),
              "Run the same command again; if it happens again, report it with the log.");
      finish(worker, new Outcome.Failed(process.unit(), failure));
    }
    idle.remove(worker);
    idle.add(spawnWorker(lane));
    feed();
    return this;
  }

  private void finish(ActorRef<Worker.Run> worker, Outcome outcome) {
    Process process = busy.remove(worker);
    if (process != null) {
      process.replyTo().tell(outcome);
    }
  }

  private void feed() {
    while (!idle.isEmpty() && !waiting.isEmpty()) {
      ActorRef<Worker.Run> worker = idle.remove();
      Process process = waiting.remove();
      busy.put(worker, process);
      worker.tell(new Worker.Run(process.unit(), answers));
    }
  }

  private ActorRef<Worker.Run> spawnWorker(int lane) {
    ActorRef<Worker.Run> worker =
        getContext()
            .spawn(
                Worker.create(lane, factory, stop, watcher),
                "lane-" + lane + "-" + spawned++,
                DispatcherSelector.fromConfig(LANE_DISPATCHER));
    getContext().watch(worker);
    lanes.put(worker, lane);
    return worker;
  }
}

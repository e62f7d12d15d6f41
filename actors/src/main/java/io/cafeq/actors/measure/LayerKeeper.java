package io.cafeq.actors.measure;

import io.cafeq.actors.lane.LaneHost;
import io.cafeq.actors.lane.NodeLocal;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.report.UnitFailure;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.function.IntConsumer;
import java.util.function.IntPredicate;
import java.util.function.LongFunction;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.ChildFailed;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.Terminated;
import org.apache.pekko.actor.typed.javadsl.AbstractBehavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.Receive;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Lets layers be measured as they are waited for, and one more: the layer after the last that
 * anybody asked for is measured while units of that one are worked on. So the statistics are never
 * much ahead, whatever the units take, unless others wait for the memory that the work holds: then
 * all layers are measured at once, so that the two cannot block each other. Begins with the first
 * layer that is missing as soon as it has its memory; after the last one, or a failure, the worker
 * ends and the memory is given back.
 */
public final class LayerKeeper extends AbstractBehavior<LayerKeeper.Command> {
  private static final Logger LOG = LoggerFactory.getLogger(LayerKeeper.class);
  private static final String LANE_DISPATCHER = "cafeq-actors.lane-dispatcher";

  /** What the keeper is asked. */
  public sealed interface Command extends NodeLocal {}

  /**
   * Asks for the statistics of a layer; answered when they stand, or when it is known that they
   * never will.
   */
  public record Await(int layer, ActorRef<Answer> replyTo) implements Command {}

  /** Measures no further layer and gives the memory back. */
  public record End() implements Command {}

  private record Worked(LayerWorker.Answer answer) implements Command {}

  private record Claimed(LaneHost.ClaimAnswer answer) implements Command {}

  private record RoomWanted() implements Command {}

  /** The answer to {@link Await}. */
  public sealed interface Answer extends NodeLocal {}

  /** They stand. */
  public record Ready() implements Answer {}

  /** They will not come. */
  public record Failed(UnitFailure failure) implements Answer {}

  /**
   * What is to be done.
   *
   * @param first layer that is missing
   * @param end after the last layer that is missing
   * @param isReady whether a layer's statistics stand, asked after each layer
   * @param work made with the bytes that it may take
   * @param measured told of each layer that was run
   */
  public record Task(
      int first,
      int end,
      IntPredicate isReady,
      LongFunction<LayerWork.Factory> work,
      IntConsumer measured) {}

  /**
   * The memory that the work asks for. It is claimed before the first layer and given back after
   * the last.
   *
   * @param least bytes without which it cannot be done
   * @param most bytes that it can make use of
   */
  public record Memory(
      ActorRef<LaneHost.Command> lanes, String job, int priority, long least, long most) {}

  private final Task task;
  private final Memory memory;
  private final ActorRef<LayerWorker.Answer> answers;
  private final List<Await> waiting = new ArrayList<>();
  private @Nullable ActorRef<LayerWorker.Next> worker;
  private @Nullable UnitFailure failure;
  private OptionalLong claim = OptionalLong.empty();
  private int allowed;
  private int next;
  private boolean busy;
  private boolean ended;

  private LayerKeeper(ActorContext<Command> context, Task task, Memory memory) {
    super(context);
    this.task = task;
    this.memory = memory;
    this.answers = context.messageAdapter(LayerWorker.Answer.class, Worked::new);
    this.allowed = task.first();
    memory
        .lanes()
        .tell(
            new LaneHost.Claim(
                memory.job(),
                "statistics",
                memory.priority(),
                memory.least(),
                memory.most(),
                context.messageAdapter(LaneHost.MakeRoom.class, wanted -> new RoomWanted()),
                context.messageAdapter(LaneHost.ClaimAnswer.class, Claimed::new)));
  }

  /** Claims the memory and begins. */
  public static Behavior<Command> create(Task task, Memory memory) {
    return Behaviors.setup(context -> new LayerKeeper(context, task, memory));
  }

  @Override
  public Receive<Command> createReceive() {
    return newReceiveBuilder()
        .onMessage(Command.class, this::receive)
        .onSignal(ChildFailed.class, this::broken)
        .onSignal(Terminated.class, this::workerEnded)
        .onSignal(PostStop.class, signal -> giveBack())
        .build();
  }

  private Behavior<Command> receive(Command command) {
    switch (command) {
      case Await await -> {
        waiting.add(await);
        allowed = Math.max(allowed, await.layer() + 1);
      }
      case Claimed(LaneHost.ClaimAnswer answer) -> claimed(answer);
      case RoomWanted wanted -> {
        LOG.debug("Others wait for memory: the statistics run ahead to their end");
        allowed = task.end();
      }
      case End end ->
          failure =
              failure != null
                  ? failure
                  : new UnitFailure(
                      FailureKind.STOPPED,
                      "stopped on request",
                      "Run the same command again to continue.");
      case Worked(LayerWorker.Measured(int layer)) -> {
        busy = false;
        next = layer + 1;
        task.measured().accept(layer);
      }
      case Worked(LayerWorker.Failed(UnitFailure failed)) -> {
        busy = false;
        failure = failed;
      }
    }
    answer();
    feed();
    return this;
  }

  private void claimed(LaneHost.ClaimAnswer answer) {
    switch (answer) {
      case LaneHost.Granted(long id, long bytes) -> {
        claim = OptionalLong.of(id);
        ActorRef<LayerWorker.Next> spawned =
            getContext()
                .spawn(
                    LayerWorker.create(memory.job(), task.work().apply(bytes)),
                    "layers",
                    DispatcherSelector.fromConfig(LANE_DISPATCHER));
        getContext().watch(spawned);
        worker = spawned;
      }
      case LaneHost.TooLarge(long bytes, long pool) ->
          failure =
              new UnitFailure(
                  FailureKind.USAGE,
                  "statistics need " + bytes + " bytes of memory, but there are " + pool,
                  "Run the same command again with a larger --max-memory.");
      case LaneHost.Withdrawn withdrawn ->
          failure =
              new UnitFailure(
                  FailureKind.STOPPED,
                  "stopped on request",
                  "Run the same command again to continue.");
    }
  }

  private void answer() {
    UnitFailure failed = failure;
    waiting.removeIf(
        await -> {
          if (task.isReady().test(await.layer())) {
            await.replyTo().tell(new Ready());
            return true;
          }
          if (failed != null) {
            await.replyTo().tell(new Failed(failed));
          }
          return failed != null;
        });
  }

  private void feed() {
    ActorRef<LayerWorker.Next> present = worker;
    if (busy || ended || present == null) {
      return;
    }
    if (failure != null || next >= task.end()) {
      ended = true;
      getContext().stop(present);
    } else if (next <= allowed) {
      busy = true;
      present.tell(new LayerWorker.Next(answers));
    }
  }

  private Behavior<Command> broken(ChildFailed failed) {
    failure =
        new UnitFailure(
            FailureKind.RESULT,
            "the statistics failed with an internal error: " + failed.getCause().getMessage(),
            "Quantize into another folder with --statistics none, and report this with the log.");
    busy = false;
    ended = true;
    answer();
    return giveBack();
  }

  private Behavior<Command> workerEnded(Terminated terminated) {
    return giveBack();
  }

  /** A second time is without effect. */
  private Behavior<Command> giveBack() {
    claim.ifPresent(id -> memory.lanes().tell(new LaneHost.GiveBack(id)));
    return this;
  }
}

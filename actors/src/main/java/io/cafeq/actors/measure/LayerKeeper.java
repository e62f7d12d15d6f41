package io.cafeq.actors.measure;

import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.report.UnitFailure;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;
import java.util.function.IntPredicate;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.ChildFailed;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.Terminated;
import org.apache.pekko.actor.typed.javadsl.AbstractBehavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.Receive;
import org.jspecify.annotations.Nullable;

/**
 * Lets layers be measured as they are waited for, and one more: the layer after the last that
 * anybody asked for is measured while units of that one are worked on. So the statistics are never
 * much ahead, whatever the units take. Begins at once with the first layer that is missing; after
 * the last one, or a failure, the worker ends and its memory is free.
 */
public final class LayerKeeper extends AbstractBehavior<LayerKeeper.Command> {
  private static final String LANE_DISPATCHER = "cafeq-actors.lane-dispatcher";

  /** What the keeper is asked. */
  public sealed interface Command {}

  /**
   * Asks for the statistics of a layer; answered when they stand, or when it is known that they
   * never will.
   */
  public record Await(int layer, ActorRef<Answer> replyTo) implements Command {}

  private record Worked(LayerWorker.Answer answer) implements Command {}

  /** The answer to {@link Await}. */
  public sealed interface Answer {}

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
   * @param measured told of each layer that was run
   * @param atEnd is run once, when the work has given its memory back
   */
  public record Task(
      int first,
      int end,
      IntPredicate isReady,
      LayerWork.Factory work,
      IntConsumer measured,
      Runnable atEnd) {}

  private final Task task;
  private final ActorRef<LayerWorker.Answer> answers;
  private final ActorRef<LayerWorker.Next> worker;
  private final List<Await> waiting = new ArrayList<>();
  private int allowed;
  private int next;
  private boolean busy;
  private boolean ended;
  private @Nullable UnitFailure failure;

  private LayerKeeper(ActorContext<Command> context, Task task) {
    super(context);
    this.task = task;
    this.answers = context.messageAdapter(LayerWorker.Answer.class, Worked::new);
    this.allowed = task.first();
    this.worker =
        context.spawn(
            LayerWorker.create(task.work()),
            "layers",
            DispatcherSelector.fromConfig(LANE_DISPATCHER));
    context.watch(worker);
    feed();
  }

  public static Behavior<Command> create(Task task) {
    return Behaviors.setup(context -> new LayerKeeper(context, task));
  }

  @Override
  public Receive<Command> createReceive() {
    return newReceiveBuilder()
        .onMessage(Command.class, this::receive)
        .onSignal(ChildFailed.class, this::broken)
        .onSignal(Terminated.class, this::ended)
        .build();
  }

  private Behavior<Command> receive(Command command) {
    switch (command) {
      case Await await -> {
        waiting.add(await);
        allowed = Math.max(allowed, await.layer() + 1);
      }
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
    if (busy || ended) {
      return;
    }
    if (failure != null || next >= task.end()) {
      ended = true;
      getContext().stop(worker);
    } else if (next <= allowed) {
      busy = true;
      worker.tell(new LayerWorker.Next(answers));
    }
  }

  private Behavior<Command> broken(ChildFailed failed) {
    failure =
        new UnitFailure(
            FailureKind.RESULT,
            "the statistics met a fault of this program: " + failed.getCause().getMessage(),
            "Quantize into another folder with --statistics none, and report this with the log.");
    busy = false;
    ended = true;
    answer();
    task.atEnd().run();
    return this;
  }

  private Behavior<Command> ended(Terminated terminated) {
    task.atEnd().run();
    return this;
  }
}

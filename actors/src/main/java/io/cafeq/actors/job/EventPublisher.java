package io.cafeq.actors.job;

import java.time.Duration;
import org.apache.pekko.Done;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.AbstractBehavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.Receive;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.jspecify.annotations.Nullable;

/** Calls the listener, one event at a time, so that no lane ever waits for it. */
final class EventPublisher extends AbstractBehavior<EventPublisher.Command> {
  private static final Duration TICK = Duration.ofMillis(200);

  /** What the publisher is told. */
  sealed interface Command {}

  /** Passes the event on. */
  record Emit(JobEvent event) implements Command {}

  /** From now on progress is reported, out of {@code all} weights. */
  record Follow(ProgressBoard board, long all) implements Command {}

  /** Answers when all events before this have been passed on; later ones are dropped. */
  record Close(ActorRef<Done> replyTo) implements Command {}

  private record Tick() implements Command {}

  private final JobListener listener;
  private final TimerScheduler<Command> timers;
  private @Nullable Follow followed;
  private long lastDone = -1;

  private EventPublisher(
      ActorContext<Command> context, TimerScheduler<Command> timers, JobListener listener) {
    super(context);
    this.timers = timers;
    this.listener = listener;
  }

  static Behavior<Command> create(JobListener listener) {
    return Behaviors.setup(
        context -> Behaviors.withTimers(timers -> new EventPublisher(context, timers, listener)));
  }

  @Override
  public Receive<Command> createReceive() {
    return newReceiveBuilder().onMessage(Command.class, this::receive).build();
  }

  private Behavior<Command> receive(Command command) {
    return switch (command) {
      case Emit(JobEvent event) -> {
        pass(event);
        yield this;
      }
      case Follow follow -> {
        followed = follow;
        timers.startTimerAtFixedRate(new Tick(), TICK);
        yield this;
      }
      case Tick tick -> {
        passProgress();
        yield this;
      }
      case Close(ActorRef<Done> replyTo) -> {
        passProgress();
        replyTo.tell(Done.getInstance());
        yield Behaviors.stopped();
      }
    };
  }

  private void passProgress() {
    if (followed != null) {
      long done = followed.board().done();
      if (done != lastDone) {
        lastDone = done;
        pass(new JobEvent.WeightsAdvanced(done, followed.all()));
      }
    }
  }

  private void pass(JobEvent event) {
    try {
      listener.on(event);
    } catch (RuntimeException e) {
      getContext().getLog().warn("a listener failed on {}", event.getClass().getSimpleName(), e);
    }
  }
}

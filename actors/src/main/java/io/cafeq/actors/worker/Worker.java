package io.cafeq.actors.worker;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.report.UnitFailure;
import java.util.Locale;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.javadsl.AbstractBehavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.Receive;
import org.jspecify.annotations.Nullable;

/**
 * Owns one lane's {@link UnitWork}, on a thread of its own. Opens it with the first unit, so that a
 * backend that does not start is a failure of a unit like any other. Stops itself where the work is
 * broken.
 */
final class Worker extends AbstractBehavior<Worker.Run> {
  /** The only thing a worker is asked: answers always, unless it stops. */
  record Run(Unit unit, ActorRef<Answer> replyTo) {}

  /** What came out, and on which worker. */
  record Answer(ActorRef<Run> worker, Outcome outcome) {}

  /** Ends a worker whose work threw what it must not throw. */
  static final class BrokenWorkException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    BrokenWorkException(Unit unit, Throwable cause) {
      super("the work on unit " + unit.id() + " broke: " + cause, cause);
    }
  }

  private final int lane;
  private final UnitWork.Factory factory;
  private final StopFlag stop;
  private final WorkWatcher watcher;
  private @Nullable UnitWork work;

  private Worker(
      ActorContext<Run> context,
      int lane,
      UnitWork.Factory factory,
      StopFlag stop,
      WorkWatcher watcher) {
    super(context);
    this.lane = lane;
    this.factory = factory;
    this.stop = stop;
    this.watcher = watcher;
  }

  static Behavior<Run> create(
      int lane, UnitWork.Factory factory, StopFlag stop, WorkWatcher watcher) {
    return Behaviors.setup(context -> new Worker(context, lane, factory, stop, watcher));
  }

  @Override
  public Receive<Run> createReceive() {
    return newReceiveBuilder()
        .onMessage(Run.class, this::run)
        .onSignal(PostStop.class, signal -> end())
        .build();
  }

  private Behavior<Run> run(Run message) {
    message.replyTo().tell(new Answer(getContext().getSelf(), outcome(message.unit())));
    return this;
  }

  private Outcome outcome(Unit unit) {
    try {
      stop.check();
      if (work == null) {
        work = factory.open(lane);
      }
      return new Outcome.Completed(unit, work.run(unit, stop, watcher.started(unit, lane)));
    } catch (EngineException failure) {
      return new Outcome.Failed(unit, UnitFailure.of(failure));
    } catch (OutOfMemoryError error) {
      closeWork();
      return new Outcome.Failed(unit, outOfMemory(unit, error));
    } catch (Throwable broken) {
      // Pekko takes some errors for the end of the whole system; wrapped, they end this worker
      // alone.
      closeWork();
      throw new BrokenWorkException(unit, broken);
    }
  }

  private static UnitFailure outOfMemory(Unit unit, OutOfMemoryError error) {
    return new UnitFailure(
        FailureKind.ENVIRONMENT,
        String.format(
            Locale.ROOT,
            "unit %s: the process ran out of memory (%s)",
            unit.id(),
            error.getMessage()),
        "Run the same command again with fewer --lanes, or with more Java heap, such as"
            + " CAFEQ_JAVA_OPTS=-Xmx1g.");
  }

  private Behavior<Run> end() {
    closeWork();
    return this;
  }

  private void closeWork() {
    UnitWork open = work;
    work = null;
    if (open != null) {
      open.close();
    }
  }
}

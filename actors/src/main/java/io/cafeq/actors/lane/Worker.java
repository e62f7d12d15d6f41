package io.cafeq.actors.lane;

import io.cafeq.actors.runtime.LogContext;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.FullHeap;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.quantize.Progress;
import io.cafeq.engine.report.UnitFailure;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.javadsl.AbstractBehavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.Receive;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One lane: a thread of its own that quantizes one unit at a time, or runs a task. Opens a job's
 * {@link UnitWork} with its first unit, so that a backend that does not start fails a unit like any
 * other, and closes it before it works for another job. Stops itself where the work is broken.
 */
final class Worker extends AbstractBehavior<Worker.Command> {
  private static final Logger LOG = LoggerFactory.getLogger(Worker.class);

  /** News of progress need not come more often. */
  private static final long NEWS_NANOS = TimeUnit.MILLISECONDS.toNanos(100);

  /** What a worker is asked. */
  sealed interface Command extends NodeLocal {}

  /** Makes a unit, tells its news, and then that the lane is idle. */
  record Run(String job, JobSite site, StopFlag stop, LaneHost.Process process)
      implements Command {}

  /** Runs a task and then tells that the lane is idle. */
  record RunTask(LaneHost.RunTask task) implements Command {}

  /** Closes what is open for the job. */
  record Close(String job) implements Command {}

  /** The lane has nothing to do. */
  record Idle(ActorRef<Command> worker) implements NodeLocal {}

  /** Ends a worker whose work threw what it must not throw. */
  static final class BrokenWorkException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    BrokenWorkException(String unit, Throwable cause) {
      super("the work on unit " + unit + " broke: " + cause, cause);
    }
  }

  private final int lane;
  private final LocalTasks tasks;
  private final ActorRef<Idle> host;
  private @Nullable UnitWork work;
  private @Nullable String workOf;

  private Worker(ActorContext<Command> context, int lane, LocalTasks tasks, ActorRef<Idle> host) {
    super(context);
    this.lane = lane;
    this.tasks = tasks;
    this.host = host;
  }

  static Behavior<Command> create(int lane, LocalTasks tasks, ActorRef<Idle> host) {
    return Behaviors.setup(context -> new Worker(context, lane, tasks, host));
  }

  @Override
  public Receive<Command> createReceive() {
    return newReceiveBuilder()
        .onMessage(Command.class, this::receive)
        .onSignal(PostStop.class, signal -> end())
        .build();
  }

  private Behavior<Command> receive(Command command) {
    switch (command) {
      case Run run -> {
        run.process()
            .replyTo()
            .tell(LogContext.of(run.job(), run.process().unit(), () -> answer(run)));
        host.tell(new Idle(getContext().getSelf()));
      }
      case RunTask(LaneHost.RunTask task) -> {
        LogContext.run(task.job(), () -> tasks.run(task.task()));
        host.tell(new Idle(getContext().getSelf()));
      }
      case Close(String job) -> {
        if (job.equals(workOf)) {
          closeWork();
        }
      }
    }
    return this;
  }

  private UnitNews.Answer answer(Run run) {
    String unit = run.process().unit();
    try {
      run.stop().check();
      run.process().replyTo().tell(new UnitNews.Started(unit, lane));
      News news = new News(unit, run.process().replyTo());
      UnitNews.Made made = new UnitNews.Made(unit, open(run).run(unit, news));
      LOG.debug(
          "Lane {} made {}: {} bytes in {} s",
          lane,
          unit,
          made.receipt().bytes(),
          String.format(Locale.ROOT, "%.2f", made.receipt().seconds()));
      return made;
    } catch (EngineException failure) {
      LOG.debug("Lane {} could not make {}: {}", lane, unit, failure.getMessage());
      return failure.kind() == FailureKind.STOPPED
          ? new UnitNews.NotMade(unit)
          : new UnitNews.Failed(unit, UnitFailure.of(failure));
    } catch (OutOfMemoryError error) {
      closeWork();
      return new UnitNews.Failed(unit, outOfMemory(unit, error));
    } catch (Throwable broken) {
      // Pekko takes some errors for the end of the whole system; wrapped, they end this worker
      // alone.
      closeWork();
      throw new BrokenWorkException(unit, broken);
    }
  }

  private UnitWork open(Run run) {
    UnitWork open = work;
    if (open != null && run.job().equals(workOf)) {
      return open;
    }
    closeWork();
    UnitWork opened = run.site().openLane(run.stop());
    work = opened;
    workOf = run.job();
    return opened;
  }

  private static UnitFailure outOfMemory(String unit, OutOfMemoryError error) {
    return new UnitFailure(
        FailureKind.ENVIRONMENT,
        "unit " + unit + ": the process ran out of memory (" + error.getMessage() + ")",
        "Run the same command again with fewer --lanes, or with a larger Java heap, such as "
            + FullHeap.larger()
            + ".");
  }

  private Behavior<Command> end() {
    closeWork();
    return this;
  }

  private void closeWork() {
    UnitWork open = work;
    work = null;
    workOf = null;
    if (open != null) {
      open.close();
    }
  }

  /** Collects progress and tells it now and then. Confined to the lane's thread. */
  private static final class News implements Progress {
    private final String unit;
    private final ActorRef<UnitNews> to;
    private long untold;
    private long lastTold = System.nanoTime();

    private News(String unit, ActorRef<UnitNews> to) {
      this.unit = unit;
      this.to = to;
    }

    @Override
    public void advanced(long weights) {
      untold += weights;
      long now = System.nanoTime();
      if (now - lastTold >= NEWS_NANOS) {
        to.tell(new UnitNews.Advanced(unit, untold));
        untold = 0;
        lastTold = now;
      }
    }
  }
}

package io.cafeq.actors.lane;

import io.cafeq.actors.memory.MemoryBudget;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.report.UnitFailure;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.ChildFailed;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.javadsl.AbstractBehavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.Receive;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A node's memory and lanes, for all jobs. A job is opened once, then its units are processed in
 * the order in which they are asked for; a unit begins when a lane is idle and all the memory that
 * it needs is free. Jobs share both by priority and then evenly. Whoever waits first for much
 * memory gets it before others who need less, so that a large unit is not starved.
 *
 * <p>Work that is no unit (statistics, evaluations, measurements) claims its memory here too.
 */
public final class LaneHost extends AbstractBehavior<LaneHost.Command> {
  private static final Logger LOG = LoggerFactory.getLogger(LaneHost.class);
  private static final String IO_DISPATCHER = "cafeq-actors.io-dispatcher";

  /** What a node is asked. */
  public sealed interface Command {}

  /** Opens a job here; answered when its units can be processed, or with the reason why not. */
  public record Open(JobTicket ticket, ActorRef<OpenAnswer> replyTo)
      implements Command, CborMessage {}

  /** Makes the file of a unit of a job that is open here. */
  public record Process(String job, String unit, ActorRef<UnitNews> replyTo)
      implements Command, CborMessage {}

  /** Lets no waiting unit of the job begin; those that run go on. */
  public record Withdraw(String job) implements Command, CborMessage {}

  /** Stops the job's units, waiting and running. */
  public record Cancel(String job) implements Command, CborMessage {}

  /** Closes a job; answered when its last unit has ended and its memory is free. */
  public record Release(String job, ActorRef<Released> replyTo) implements Command, CborMessage {}

  /**
   * Asks for memory without a lane.
   *
   * @param purpose a word or two that say for what
   * @param least bytes without which the work cannot be done
   * @param most bytes that it can make use of
   * @param holder is asked for room when others wait for what it holds; null where the claim ends
   *     by itself soon
   */
  public record Claim(
      String job,
      String purpose,
      int priority,
      long least,
      long most,
      @Nullable ActorRef<MakeRoom> holder,
      ActorRef<ClaimAnswer> replyTo)
      implements Command, CborMessage {}

  /** Gives memory back; a second time is without effect. */
  public record GiveBack(long claim) implements Command, CborMessage {}

  /** Runs one of the node's {@link LocalTasks} on a lane. */
  public record RunTask(String job, String purpose, int priority, String task, long bytes)
      implements Command, CborMessage {}

  /** Asks who holds memory. */
  public record ListHoldings(ActorRef<Holdings> replyTo) implements Command, CborMessage {}

  private record SiteOpened(Open open, @Nullable JobSite site, @Nullable Throwable failure)
      implements Command, NodeLocal {}

  private record LaneIdle(Worker.Idle idle) implements Command, NodeLocal {}

  /** The answer to {@link Open}. */
  public sealed interface OpenAnswer extends CborMessage {}

  /** Units can come. */
  public record Opened(String job) implements OpenAnswer {}

  /** The job cannot run here. */
  public record Refused(UnitFailure failure) implements OpenAnswer {}

  /**
   * The job is closed.
   *
   * @param bytesRead of its checkpoint, here
   */
  public record Released(String job, long bytesRead) implements CborMessage {}

  /** The answer to {@link Claim}. */
  public sealed interface ClaimAnswer extends CborMessage {}

  /** The bytes are the asker's until it gives them back. */
  public record Granted(long claim, long bytes) implements ClaimAnswer {}

  /** More than there is at all. */
  public record TooLarge(long bytes, long pool) implements ClaimAnswer {}

  /** The job was cancelled before the memory was free. */
  public record Withdrawn() implements ClaimAnswer {}

  /** Others wait for memory: the holder should finish as soon as it can. */
  public record MakeRoom() implements CborMessage {}

  /** Who holds memory, oldest first. */
  public record Holdings(long pool, List<MemoryHolding> holdings) implements CborMessage {}

  private final MemoryBudget budget;
  private final JobSite.Opener opener;
  private final LocalTasks tasks;
  private final Lanes lanes;
  private final NodeMemory memory;
  private final Turns turns = new Turns();
  private final Map<String, OpenJob> jobs = new HashMap<>();
  private final Map<Long, ActorRef<MakeRoom>> standing = new HashMap<>();

  private LaneHost(
      ActorContext<Command> context,
      MemoryBudget budget,
      int lanes,
      JobSite.Opener opener,
      LocalTasks tasks) {
    super(context);
    this.budget = budget;
    this.opener = opener;
    this.tasks = tasks;
    this.memory = new NodeMemory(budget.pool());
    this.lanes =
        new Lanes(context, lanes, tasks, context.messageAdapter(Worker.Idle.class, LaneIdle::new));
  }

  /**
   * A node.
   *
   * @param lanes units that are worked on at the same time
   * @param opener opens jobs here
   * @param tasks of this node
   */
  public static Behavior<Command> create(
      MemoryBudget budget, int lanes, JobSite.Opener opener, LocalTasks tasks) {
    return Behaviors.setup(context -> new LaneHost(context, budget, lanes, opener, tasks));
  }

  @Override
  public Receive<Command> createReceive() {
    return newReceiveBuilder()
        .onMessage(Command.class, this::receive)
        .onSignal(ChildFailed.class, this::replace)
        .onSignal(PostStop.class, signal -> end())
        .build();
  }

  private Behavior<Command> receive(Command command) {
    switch (command) {
      case Open open -> open(open);
      case SiteOpened opened -> opened(opened);
      case Process process -> process(process);
      case Withdraw(String job) -> withdraw(job);
      case Cancel(String job) -> cancel(job);
      case Release release -> release(release);
      case Claim claim -> claim(claim);
      case GiveBack(long claim) -> giveBack(claim);
      case RunTask task -> runTask(task);
      case ListHoldings(ActorRef<Holdings> replyTo) ->
          replyTo.tell(new Holdings(memory.pool(), memory.holdings()));
      case LaneIdle(Worker.Idle(ActorRef<Worker.Command> worker)) -> ended(lanes.idle(worker));
    }
    grant();
    return this;
  }

  /** Opening reads headers, which the actor must not wait for. */
  private void open(Open open) {
    OpenJob job = new OpenJob(open.ticket());
    if (jobs.putIfAbsent(open.ticket().job(), job) != null) {
      open.replyTo()
          .tell(new Refused(LaneFailures.internal("job " + open.ticket().job() + " is open here")));
      return;
    }
    Executor io =
        getContext().getSystem().dispatchers().lookup(DispatcherSelector.fromConfig(IO_DISPATCHER));
    getContext()
        .pipeToSelf(
            CompletableFuture.supplyAsync(() -> opener.open(open.ticket(), job.stop()), io),
            (site, failure) -> new SiteOpened(open, site, failure));
  }

  private void opened(SiteOpened opened) {
    String id = opened.open().ticket().job();
    JobSite site = opened.site();
    if (site == null) {
      jobs.remove(id);
      opened.open().replyTo().tell(new Refused(LaneFailures.opening(opened.failure())));
      return;
    }
    OpenJob job = jobs.get(id);
    if (job == null) {
      site.close();
      return;
    }
    job.opened(site);
    opened.open().replyTo().tell(new Opened(id));
  }

  private void process(Process process) {
    OpenJob job = jobs.get(process.job());
    JobSite site = job == null ? null : job.site();
    if (job == null || site == null) {
      process
          .replyTo()
          .tell(
              new UnitNews.Failed(
                  process.unit(),
                  LaneFailures.internal("job " + process.job() + " is not open here")));
      return;
    }
    if (job.isWithdrawn()) {
      process.replyTo().tell(new UnitNews.NotMade(process.unit()));
      return;
    }
    long bytes;
    try {
      bytes = budget.claim(site.memoryNeeded(process.unit()));
    } catch (IllegalArgumentException unknown) {
      process
          .replyTo()
          .tell(
              new UnitNews.Failed(
                  process.unit(), LaneFailures.internal(String.valueOf(unknown.getMessage()))));
      return;
    }
    if (bytes > memory.pool()) {
      process
          .replyTo()
          .tell(
              new UnitNews.Failed(
                  process.unit(),
                  LaneFailures.tooLarge("unit " + process.unit(), bytes, memory.pool())));
      return;
    }
    turns.add(
        new Turns.Waiting(
            process.job(), job.ticket().priority(), bytes, new Turns.Work.OfUnit(process)));
  }

  private void withdraw(String id) {
    OpenJob job = jobs.get(id);
    if (job != null) {
      job.withdraw();
    }
    for (Turns.Waiting waiting :
        turns.remove(w -> w.job().equals(id) && w.work() instanceof Turns.Work.OfUnit)) {
      if (waiting.work() instanceof Turns.Work.OfUnit(Process process)) {
        process.replyTo().tell(new UnitNews.NotMade(process.unit()));
      }
    }
  }

  private void cancel(String id) {
    withdraw(id);
    OpenJob job = jobs.get(id);
    if (job != null) {
      job.stop().stop();
    }
    for (Turns.Waiting waiting : turns.remove(w -> w.job().equals(id))) {
      switch (waiting.work()) {
        case Turns.Work.OfTask(RunTask task) ->
            tasks.drop(
                task.task(),
                new EngineException(
                    FailureKind.STOPPED, "stopped on request", "Run the same command again."));
        case Turns.Work.OfMemory(Claim claim) -> claim.replyTo().tell(new Withdrawn());
        case Turns.Work.OfUnit unit -> throw new IllegalStateException("units were withdrawn");
      }
    }
  }

  private void release(Release release) {
    OpenJob job = jobs.get(release.job());
    if (job == null) {
      release.replyTo().tell(new Released(release.job(), 0));
      return;
    }
    withdraw(release.job());
    job.releasing(release);
    closeIfIdle(job);
  }

  /** Lanes close what they have open of the job before its checkpoint is closed. */
  private void closeIfIdle(OpenJob job) {
    String id = job.ticket().job();
    Release release = job.release();
    if (release != null && !turns.isRunning(id)) {
      lanes.close(id);
      jobs.remove(id);
      release.replyTo().tell(new Released(id, job.close()));
    }
  }

  private void claim(Claim claim) {
    if (claim.least() > memory.pool()) {
      claim.replyTo().tell(new TooLarge(claim.least(), memory.pool()));
    } else {
      turns.add(
          new Turns.Waiting(
              claim.job(), claim.priority(), claim.least(), new Turns.Work.OfMemory(claim)));
    }
  }

  private void giveBack(long claim) {
    standing.remove(claim);
    memory.giveBack(claim);
  }

  private void runTask(RunTask task) {
    if (task.bytes() > memory.pool()) {
      UnitFailure failure = LaneFailures.tooLarge(task.purpose(), task.bytes(), memory.pool());
      tasks.drop(
          task.task(), new EngineException(failure.kind(), failure.message(), failure.remedy()));
    } else {
      turns.add(
          new Turns.Waiting(
              task.job(), task.priority(), task.bytes(), new Turns.Work.OfTask(task)));
    }
  }

  /** What waits first and does not fit holds the others up, and room is asked for. */
  private void grant() {
    for (Optional<Turns.Waiting> next = turns.next(lanes.hasIdle());
        next.isPresent();
        next = turns.next(lanes.hasIdle())) {
      Turns.Waiting request = next.get();
      if (!memory.fits(request.least())) {
        if (memory.needsRoomFromStanding(request.least())) {
          standing.values().forEach(holder -> holder.tell(new MakeRoom()));
        }
        return;
      }
      turns.begin(request);
      begin(request);
    }
  }

  private void begin(Turns.Waiting request) {
    switch (request.work()) {
      case Turns.Work.OfUnit(Process process) -> {
        OpenJob job = jobs.get(process.job());
        JobSite site = job == null ? null : job.site();
        if (job == null || site == null) {
          throw new IllegalStateException("a unit of a job that is not open waited");
        }
        long claim = hold(process.job(), process.unit(), request.least());
        Worker.Run run = new Worker.Run(process.job(), site, job.stop(), process);
        lanes.start(new Lanes.Job(process.job(), claim, run));
      }
      case Turns.Work.OfTask(RunTask task) -> {
        long claim = hold(task.job(), task.purpose(), task.bytes());
        lanes.start(new Lanes.Job(task.job(), claim, new Worker.RunTask(task)));
      }
      case Turns.Work.OfMemory(Claim claim) -> {
        ActorRef<MakeRoom> holder = claim.holder();
        MemoryHolding held =
            memory.take(claim.job(), claim.purpose(), claim.least(), claim.most(), holder != null);
        if (holder != null) {
          standing.put(held.id(), holder);
        }
        LOG.debug("{} holds {} MiB for {}", held.job(), held.bytes() >> 20, held.purpose());
        claim.replyTo().tell(new Granted(held.id(), held.bytes()));
      }
    }
  }

  private long hold(String job, String purpose, long bytes) {
    LOG.debug("{} holds {} MiB for {}", job, bytes >> 20, purpose);
    return memory.take(job, purpose, bytes, bytes, false).id();
  }

  private void ended(Lanes.Job done) {
    memory.giveBack(done.claim());
    turns.ended(done.job());
    OpenJob job = jobs.get(done.job());
    if (job != null) {
      closeIfIdle(job);
    }
  }

  private Behavior<Command> replace(ChildFailed failed) {
    ActorRef<Worker.Command> worker = failed.getRef().unsafeUpcast();
    lanes
        .replace(worker)
        .ifPresent(
            done -> {
              if (done.command() instanceof Worker.Run run) {
                run.process()
                    .replyTo()
                    .tell(
                        new UnitNews.Failed(
                            run.process().unit(),
                            LaneFailures.broken(run.process().unit(), failed.getCause())));
              }
              ended(done);
            });
    grant();
    return this;
  }

  private Behavior<Command> end() {
    jobs.values().forEach(OpenJob::close);
    return this;
  }
}

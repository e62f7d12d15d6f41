package io.cafeq.actors.host;

import io.cafeq.actors.job.ArrowJobEngine;
import io.cafeq.actors.job.Job;
import io.cafeq.actors.job.JobEngine;
import io.cafeq.actors.job.JobEvent;
import io.cafeq.actors.job.JobForecast;
import io.cafeq.actors.job.JobForecaster;
import io.cafeq.actors.job.JobRequest;
import io.cafeq.actors.job.JobResult;
import io.cafeq.actors.job.JobSites;
import io.cafeq.actors.lane.LaneHost;
import io.cafeq.actors.lane.LocalTasks;
import io.cafeq.actors.memory.MemoryBudget;
import io.cafeq.actors.memory.MemoryMeter;
import io.cafeq.actors.memory.MemoryWatcher;
import io.cafeq.actors.node.Node;
import io.cafeq.actors.runtime.ActorRuntime;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.compute.Compute;
import io.cafeq.engine.compute.ComputeLane;
import io.cafeq.engine.evaluate.Evaluation;
import io.cafeq.engine.evaluate.EvaluationRequest;
import io.cafeq.engine.evaluate.EvaluationResult;
import io.cafeq.engine.evaluate.EvaluationWatcher;
import io.cafeq.engine.evaluate.Resources;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.output.FolderLocks;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.apache.pekko.Done;
import org.apache.pekko.actor.Cancellable;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.javadsl.AskPattern;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.MDC;

/**
 * The host of a process: its actor system, memory, lanes, memory watcher and backend, one of each
 * for all jobs. A job that fails, or meets a bug, leaves the others alone. Thread-safe.
 */
public final class EngineHost implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(EngineHost.class);
  private static final Duration TICK = Duration.ofMillis(200);
  private static final Duration ANSWER = Duration.ofSeconds(10);

  private final HostSettings settings;
  private final String version;
  private final JobEngine.Factory engines;
  private final ActorRuntime runtime;
  private final MemoryWatcher watcher;
  private final Node node;
  private final Map<String, Job> running = new ConcurrentHashMap<>();
  private final AtomicLong submitted = new AtomicLong();
  private final Cancellable ticks;

  private EngineHost(
      HostSettings settings, String version, JobEngine.Factory engines, ActorRuntime runtime) {
    this.settings = settings;
    this.version = version;
    this.engines = engines;
    this.runtime = runtime;
    this.watcher = MemoryWatcher.start(MemoryMeter.forThisProcess(), settings.maxMemory());
    MemoryBudget budget = MemoryBudget.of(settings.maxMemory());
    LocalTasks tasks = new LocalTasks();
    Supplier<Compute> compute = new OpenedOnce(settings.backend());
    ActorRef<LaneHost.Command> lanes =
        runtime.spawnEssential(
            LaneHost.create(budget, settings.lanes(), new JobSites(engines, compute), tasks),
            "lanes");
    this.node =
        new Node(
            runtime, lanes, tasks, budget, settings.lanes(), watcher, compute, new FolderLocks());
    this.ticks =
        runtime
            .actors()
            .scheduler()
            .scheduleAtFixedRate(
                TICK,
                TICK,
                () -> running.values().forEach(Job::tick),
                runtime.actors().executionContext());
    LOG.info(
        "{} lanes, memory cap {} MiB, of which {} MiB are for weights",
        settings.lanes(),
        settings.maxMemory() >> 20,
        budget.pool() >> 20);
  }

  /** The backend is opened once, by whoever needs it first; a failure is not kept. */
  private static final class OpenedOnce implements Supplier<Compute> {
    private final String name;
    private @Nullable Compute opened;

    private OpenedOnce(String name) {
      this.name = name;
    }

    @Override
    public synchronized Compute get() {
      Compute known = opened;
      if (known == null) {
        known = Compute.open(name);
        opened = known;
        LOG.info("Computing with {}", known.description());
      }
      return known;
    }
  }

  /**
   * Starts the host of this process.
   *
   * @param version of this program, for reports
   */
  public static EngineHost start(HostSettings settings, String version) {
    return new EngineHost(settings, version, ArrowJobEngine::new, ActorRuntime.start());
  }

  /** With numerics and an actor system of the caller's own. */
  public static EngineHost start(
      HostSettings settings, String version, JobEngine.Factory engines, ActorRuntime runtime) {
    return new EngineHost(settings, version, engines, runtime);
  }

  /** Begins a job at once, beside those that run. */
  public JobHandle submit(JobRequest request) {
    String id = "job-" + submitted.incrementAndGet();
    Job job = new Job(id, request, node, engines, version);
    CompletableFuture<JobResult> result = new CompletableFuture<>();
    running.put(id, job);
    Thread.ofPlatform().name(id).start(() -> run(job, result));
    return new JobHandle(job, result);
  }

  private void run(Job job, CompletableFuture<JobResult> result) {
    MDC.put("job", job.id());
    try {
      JobResult end = job.run();
      LOG.info("Ended: {}", end.getClass().getSimpleName().toLowerCase(Locale.ROOT));
      running.remove(job.id());
      result.complete(end);
    } catch (Throwable fault) {
      // not only exceptions: the memory that one job runs out of must not take the others with it
      LOG.error("Failed with an internal error", fault);
      running.remove(job.id());
      result.completeExceptionally(fault);
    }
  }

  /**
   * Calls {@code listener} with all events of the job, one at a time, on a thread that computes
   * nothing. What it throws is logged and changes nothing for the job.
   *
   * @return completed when it has heard the last one
   */
  public CompletionStage<Done> listen(JobHandle handle, Consumer<JobEvent> listener) {
    return handle
        .events()
        .runForeach(
            event -> {
              try {
                listener.accept(event);
              } catch (RuntimeException e) {
                LOG.warn("A listener failed on {}", event.getClass().getSimpleName(), e);
              }
            },
            runtime.actors());
  }

  /**
   * Says what {@code submit} would do with the same request; writes nothing.
   *
   * @param checkpoint of the request; borrowed
   */
  public JobForecast forecast(Checkpoint checkpoint, JobRequest request) {
    String id = "plan-" + submitted.incrementAndGet();
    return new JobForecaster(id, node, engines, new StopFlag()).forecast(checkpoint, request);
  }

  /**
   * Evaluates a model on a lane; blocks. It takes all the memory that work may take, so it waits
   * for units that run, and units wait for it.
   *
   * @param watcher hears how far it is
   * @param warnings hears each warning as soon as it is known
   */
  public EvaluationResult evaluate(
      EvaluationRequest request,
      EvaluationWatcher watcher,
      Consumer<String> warnings,
      StopFlag stop) {
    String id = "evaluation-" + submitted.incrementAndGet();
    MemoryBudget budget = node.budget();
    return node.onLane(
        id,
        "evaluation",
        budget.pool(),
        () -> {
          try (ComputeLane lane = node.compute().get().backend().openLane()) {
            Resources resources =
                new Resources(
                    lane.products(),
                    budget.pool(),
                    budget.taken(),
                    Path.of(System.getProperty("java.io.tmpdir")),
                    stop,
                    watcher);
            return new Evaluation(request, resources, warnings).run();
          }
        });
  }

  /** Who holds memory now. */
  public LaneHost.Holdings holdings() {
    return AskPattern.<LaneHost.Command, LaneHost.Holdings>ask(
            node.lanes(), LaneHost.ListHoldings::new, ANSWER, runtime.actors().scheduler())
        .toCompletableFuture()
        .join();
  }

  public HostSettings settings() {
    return settings;
  }

  /** Asks all jobs to stop and ends the actors; does not wait for a worker that does not return. */
  @Override
  public void close() {
    running.values().forEach(Job::stop);
    ticks.cancel();
    runtime.close();
    watcher.close();
  }
}

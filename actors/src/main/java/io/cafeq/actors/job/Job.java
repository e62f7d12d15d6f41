package io.cafeq.actors.job;

import io.cafeq.actors.memory.MemoryWatcher;
import io.cafeq.actors.node.Node;
import io.cafeq.config.Recipe;
import io.cafeq.engine.budget.BudgetPlan;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.measure.StatisticsChoice;
import io.cafeq.engine.measure.StatisticsPlan;
import io.cafeq.engine.output.DiskSpace;
import io.cafeq.engine.output.OutputFolder;
import io.cafeq.engine.plan.Plan;
import io.cafeq.engine.plan.Planner;
import io.cafeq.engine.report.JobStatus;
import io.cafeq.engine.statistics.InputStatistics;
import io.cafeq.engine.weights.ModelWarnings;
import java.nio.file.Files;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.apache.pekko.NotUsed;
import org.apache.pekko.stream.javadsl.Source;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One request on its way through a node: planning, preflight, units, completion. Used once; {@link
 * #run} blocks its thread, the rest may be called from any.
 */
public final class Job {
  private static final Logger LOG = LoggerFactory.getLogger(Job.class);

  private final String id;
  private final JobRequest request;
  private final Node node;
  private final JobEngine.Factory engines;
  private final String version;
  private final JobStop stop = new JobStop();
  private final EventLog events = new EventLog();

  /**
   * @param id unique among the jobs of a node
   * @param node borrowed
   * @param version of this program, for the report
   */
  public Job(String id, JobRequest request, Node node, JobEngine.Factory engines, String version) {
    this.id = id;
    this.request = request;
    this.node = node;
    this.engines = engines;
    this.version = version;
  }

  public String id() {
    return id;
  }

  /**
   * Runs to the end, whatever that is. Failures of a known kind are results; anything thrown is a
   * fault of this program. When this returns the folder is free for the next run, unless a worker
   * did not stop in time: then it is when the worker ends.
   */
  public JobResult run() {
    LOG.info("Quantizing {} to {}", request.model(), request.output());
    try (MemoryWatcher.Span memory = node.watcher().span();
        Checkpoint checkpoint = Checkpoint.open(request.model(), request.settings().remote())) {
      Recipe recipe = request.settings().recipe();
      Plan plan = Planner.plan(checkpoint, recipe);
      plan.coverage().require(request.settings().run().minimumCoverage(), checkpoint.location());
      // fails where the statistics that are asked for cannot be had, before there is a folder
      StatisticsChoice choice = StatisticsChoice.of(recipe.statistics(), checkpoint);
      if (!Files.exists(request.output())) {
        choice.requireText();
      }
      return run(checkpoint, plan, choice, memory);
    } catch (EngineException e) {
      return new JobResult.Refused(e);
    } finally {
      events.close();
    }
  }

  /** Asks the job to end: within five seconds {@link #run} returns. What is finished stays. */
  public void stop() {
    stop.stop();
  }

  /** All events from the first on, for any number of listeners. */
  public Source<JobEvent, NotUsed> events() {
    return events.events();
  }

  /** Looks whether there is progress to tell; called some times a second. */
  public void tick() {
    events.tick();
  }

  /**
   * @param plan by cost alone, which shows that the recipe fits the checkpoint before a folder is
   *     made
   */
  private JobResult run(
      Checkpoint checkpoint, Plan plan, StatisticsChoice choice, MemoryWatcher.Span memory) {
    OutputFolder folder =
        checkpoint
            .localPath()
            .map(source -> OutputFolder.open(request.output(), source, node.locks()))
            .orElseGet(() -> OutputFolder.open(request.output(), node.locks()));
    CompletableFuture<?> unused = CompletableFuture.completedFuture(null);
    try {
      events.emit(new JobEvent.PhaseChanged(Phase.PLANNING));
      stop.onStop(claimant()::cancel);
      JobStatistics statistics = statistics(checkpoint, plan, choice, folder);
      Optional<BudgetPlan> budget;
      try {
        budget =
            new BudgetPlanning(checkpoint, request.settings().recipe(), claimant())
                .plan(folder, () -> takeAll(statistics, folder));
      } catch (EngineException e) {
        if (e.kind() != FailureKind.STOPPED) {
          throw e;
        }
        // what was measured stays in the folder, which keeps the report that it has
        JobDefinition byCost = define(checkpoint, plan, Optional.empty(), choice);
        return new JobResult.Stopped(
            new ReportMaker(byCost, statistics, node, memory)
                .make(JobStatus.STOPPED, new ResultLedger(plan)));
      }
      JobDefinition definition = define(checkpoint, plan, budget, choice);
      events.emit(new JobEvent.Planned(definition.plan()));
      JobRun run = new JobRun(scope(definition, folder, statistics, memory));
      try {
        return run.run();
      } finally {
        unused = run.released();
      }
    } finally {
      // a worker that outlives its job still writes to the folder: it stays locked until the worker
      // has ended
      unused.whenComplete((done, failure) -> folder.close());
    }
  }

  private JobScope scope(
      JobDefinition definition,
      OutputFolder folder,
      JobStatistics statistics,
      MemoryWatcher.Span memory) {
    JobEngine.Work work =
        new JobEngine.Work(
            definition.checkpoint(),
            definition.recipe(),
            statistics.stored(),
            request.settings().run().verify(),
            node.compute());
    return new JobScope(
        definition,
        engines.create(work),
        folder,
        node,
        stop,
        events,
        statistics,
        new ResultLedger(definition.plan()),
        new ReportMaker(definition, statistics, node, memory));
  }

  private Claimant claimant() {
    return new Claimant(id, request.priority(), node, stop.flag());
  }

  private InputStatistics takeAll(JobStatistics statistics, OutputFolder folder) {
    statistics.look();
    statistics.clean();
    node.budget().requireStatisticsFit(statistics.memoryNeeded());
    DiskSpace.require(folder.root(), statistics.diskNeeded(), DiskSpace.usable(folder.root()));
    events.emit(new JobEvent.PhaseChanged(Phase.MEASURING));
    return statistics.takeAll(
        (layers, all) -> events.emit(new JobEvent.StatisticsAdvanced(layers, all)));
  }

  private JobDefinition define(
      Checkpoint checkpoint, Plan plan, Optional<BudgetPlan> budget, StatisticsChoice choice) {
    Plan measured = budget.map(BudgetPlan::plan).orElse(plan).warning(ModelWarnings.of(checkpoint));
    return new JobDefinition(
        id,
        request,
        checkpoint,
        choice.note().map(measured::warning).orElse(measured),
        budget,
        version);
  }

  /**
   * What auto came to when the folder was begun it stays, whatever this program now makes of it.
   */
  private JobStatistics statistics(
      Checkpoint checkpoint, Plan plan, StatisticsChoice choice, OutputFolder folder) {
    Recipe recipe = request.settings().recipe();
    StatisticsChoice kept =
        folder
            .earlierIdentity()
            .filter(earlier -> earlier.recipeHash().equals(recipe.hash()))
            .map(earlier -> choice.asItWas(earlier.statistics().source()))
            .orElse(choice);
    LOG.info("Statistics of the inputs: {}", kept.used().given());
    return new JobStatistics(
        checkpoint, StatisticsPlan.of(kept, checkpoint, plan, recipe), folder, claimant());
  }
}

package io.cafeq.actors.job;

import io.cafeq.actors.memory.MemoryBudget;
import io.cafeq.actors.memory.MemoryMeter;
import io.cafeq.actors.memory.MemoryWatcher;
import io.cafeq.config.Recipe;
import io.cafeq.config.Settings;
import io.cafeq.engine.budget.BudgetPlan;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.compute.Backends;
import io.cafeq.engine.evaluate.ModelWarnings;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.measure.StatisticsChoice;
import io.cafeq.engine.measure.StatisticsPlan;
import io.cafeq.engine.output.DiskSpace;
import io.cafeq.engine.output.OutputFolder;
import io.cafeq.engine.plan.Plan;
import io.cafeq.engine.plan.Planner;
import io.cafeq.engine.receipt.JobIdentity;
import io.cafeq.engine.statistics.InputStatistics;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Quantizes one checkpoint into one folder. The same call begins, continues and confirms: what an
 * earlier run of the same recipe and source left in the folder counts. Used once; {@link #run}
 * blocks its thread, {@link #stop} comes from any other.
 */
public final class QuantizeJob {
  private final Path source;
  private final Path output;
  private final Settings settings;
  private final String version;
  private final JobListener listener;
  private final JobEngine.Factory engines;
  private final JobStop stop = new JobStop();

  /**
   * @param source a checkpoint's folder or a single safetensors file
   * @param output a folder to create, an empty one, or one that an earlier run of the same job left
   * @param version of this program, for the report
   */
  public QuantizeJob(
      Path source, Path output, Settings settings, String version, JobListener listener) {
    this(source, output, settings, version, listener, ArrowJobEngine::new);
  }

  /** With numerics of the caller's own. */
  QuantizeJob(
      Path source,
      Path output,
      Settings settings,
      String version,
      JobListener listener,
      JobEngine.Factory engines) {
    this.source = source;
    this.output = output;
    this.settings = settings;
    this.version = version;
    this.listener = listener;
    this.engines = engines;
  }

  /**
   * Runs to the end, whatever that is. Failures of a known kind are results; anything thrown is a
   * fault of this program. When this returns the folder is free for the next run, unless a worker
   * did not stop in time: then it is when the worker ends.
   */
  public JobResult run() {
    long cap = settings.run().resolvedMaxMemory();
    try (MemoryWatcher memory = MemoryWatcher.start(MemoryMeter.forThisProcess(), cap);
        Checkpoint checkpoint = Checkpoint.open(source)) {
      Plan plan = Planner.plan(checkpoint, settings.recipe());
      plan.coverage().require(settings.run().minimumCoverage(), checkpoint.location());
      // fails where the statistics that are asked for cannot be had, before there is a folder
      StatisticsChoice choice = StatisticsChoice.of(settings.recipe().statistics(), checkpoint);
      if (!Files.exists(output)) {
        choice.requireText();
      }
      return run(checkpoint, plan, choice, memory);
    } catch (EngineException e) {
      return new JobResult.Refused(e);
    }
  }

  /**
   * Asks the job to end: within five seconds {@link #run} returns. What is finished stays. May be
   * called at any time.
   */
  public void stop() {
    stop.stop();
  }

  private JobDefinition define(
      Checkpoint checkpoint, Plan plan, Optional<BudgetPlan> budget, StatisticsChoice choice) {
    Recipe recipe = settings.recipe();
    Plan measured = budget.map(BudgetPlan::plan).orElse(plan).warning(ModelWarnings.of(checkpoint));
    return new JobDefinition(
        checkpoint,
        choice.note().map(measured::warning).orElse(measured),
        budget,
        output,
        recipe.canonical(),
        new JobIdentity(recipe.hash(), JobIdentity.ALGORITHM_VERSION),
        settings.run().resolvedLanes(),
        settings.run().resolvedMaxMemory(),
        version);
  }

  /**
   * @param plan by cost alone, which shows that the recipe fits the checkpoint before a folder is
   *     made
   */
  private JobResult run(
      Checkpoint checkpoint, Plan plan, StatisticsChoice choice, MemoryWatcher memory) {
    OutputFolder folder =
        checkpoint
            .localPath()
            .map(path -> OutputFolder.open(output, path))
            .orElseGet(() -> OutputFolder.open(output));
    JobSystem system;
    try {
      // a worker that outlives its job still writes below the folder, so nobody else may until it
      // has ended
      system = JobSystem.start(folder::close);
    } catch (RuntimeException e) {
      folder.close();
      throw e;
    }
    try (system;
        JobEvents events = new JobEvents(system, listener)) {
      events.emit(new JobEvent.PhaseChanged(Phase.PLANNING));
      JobStatistics statistics = statistics(checkpoint, plan, choice, folder);
      Optional<BudgetPlan> budget =
          new BudgetPlanning(checkpoint, settings, stop.flag())
              .plan(folder, () -> takeAll(statistics, folder, events));
      JobDefinition definition = define(checkpoint, plan, budget, choice);
      events.emit(new JobEvent.Planned(definition.plan()));
      JobEngine engine =
          engines.create(
              definition.checkpoint(),
              definition.identity(),
              settings,
              statistics.stored(),
              stop.flag());
      return new JobRun(definition, engine, folder, system, stop, events, statistics, memory).run();
    }
  }

  /**
   * What auto came to when the folder was begun it stays, whatever this program now makes of it.
   */
  private JobStatistics statistics(
      Checkpoint checkpoint, Plan plan, StatisticsChoice choice, OutputFolder folder) {
    Recipe recipe = settings.recipe();
    StatisticsChoice kept =
        folder
            .earlierIdentity()
            .filter(earlier -> earlier.recipeHash().equals(recipe.hash()))
            .map(earlier -> choice.asItWas(earlier.statistics().source()))
            .orElse(choice);
    return new JobStatistics(
        checkpoint,
        StatisticsPlan.of(kept, checkpoint, plan, recipe),
        folder,
        () -> Backends.open(settings.run().backend().orElse("auto")),
        stop.flag());
  }

  private InputStatistics takeAll(JobStatistics statistics, OutputFolder folder, JobEvents events) {
    MemoryBudget budget = MemoryBudget.of(settings.run().resolvedMaxMemory());
    statistics.look();
    statistics.clean();
    budget.requireStatisticsFit(statistics.memoryNeeded());
    DiskSpace.require(folder.root(), statistics.diskNeeded(), DiskSpace.usable(folder.root()));
    events.emit(new JobEvent.PhaseChanged(Phase.MEASURING));
    return statistics.takeAll(
        budget.pool(), (layers, all) -> events.emit(new JobEvent.StatisticsAdvanced(layers, all)));
  }
}

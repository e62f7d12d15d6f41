package io.cafeq.actors.job;

import io.cafeq.actors.node.Node;
import io.cafeq.config.Recipe;
import io.cafeq.config.StatisticsSource;
import io.cafeq.engine.budget.BudgetPlan;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.compute.Compute;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.measure.StatisticsChoice;
import io.cafeq.engine.measure.StatisticsPlan;
import io.cafeq.engine.output.DiskSpace;
import io.cafeq.engine.output.SideFileCopier;
import io.cafeq.engine.plan.Plan;
import io.cafeq.engine.plan.Planner;
import io.cafeq.engine.quantize.Speed;
import io.cafeq.engine.statistics.InputStatistics;
import io.cafeq.engine.weights.ModelWarnings;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** Says beforehand what a job would do; writes nothing. */
public final class JobForecaster {
  /** What a measurement of speed takes, about. */
  private static final long SPEED_BYTES = 64L << 20;

  private final Claimant claimant;
  private final JobEngine.Factory engines;

  /**
   * @param id under which memory and lanes are asked for
   * @param node borrowed
   */
  public JobForecaster(String id, Node node, JobEngine.Factory engines, StopFlag stop) {
    this.claimant = new Claimant(id, 0, node, stop);
    this.engines = engines;
  }

  /** Reads headers, and samples of the weights where the recipe has a target. */
  public JobForecast forecast(Checkpoint checkpoint, JobRequest request) {
    Recipe recipe = request.settings().recipe();
    Plan byCost = Planner.plan(checkpoint, recipe);
    Optional<EngineException> tooLittle = tooLittle(byCost, checkpoint, request);
    Optional<BudgetPlan> budget =
        tooLittle.isPresent() || recipe.targetBitsPerWeight().isEmpty()
            ? Optional.empty()
            : Optional.of(
                new BudgetPlanning(checkpoint, recipe, claimant).measure(InputStatistics.NONE));
    StatisticsChoice choice = StatisticsChoice.of(recipe.statistics(), checkpoint);
    Plan chosen = budget.map(BudgetPlan::plan).orElse(byCost);
    Plan plan = warned(chosen.warning(ModelWarnings.of(checkpoint)), choice, budget);
    StatisticsPlan statistics = StatisticsPlan.of(choice, checkpoint, plan, recipe);
    Path folder = existing(request.output().toAbsolutePath());
    JobEngine engine =
        engines.create(
            new JobEngine.Work(
                checkpoint,
                recipe,
                statistics.stored(folder, checkpoint, claimant.stop()),
                request.settings().run().verify(),
                claimant.node().compute()));
    JobNeeds needs =
        JobNeeds.of(
            plan.units(),
            engine,
            new SideFileCopier(checkpoint.store(), checkpoint.sideFiles()).bytes(),
            statistics.fileBytes());
    long free = DiskSpace.usable(folder);
    return new JobForecast(
        plan,
        budget,
        statistics,
        needs,
        folder,
        free,
        speed().seconds(plan, claimant.node().laneCount()),
        tooLittle.or(() -> refusal(needs, checkpoint, statistics, folder, free)));
  }

  private Speed speed() {
    Compute compute = claimant.compute();
    try (Node.HeldMemory memory =
        claimant.claim("a measurement of speed", SPEED_BYTES, SPEED_BYTES)) {
      return Speed.measure(compute);
    }
  }

  private static Optional<EngineException> tooLittle(
      Plan plan, Checkpoint checkpoint, JobRequest request) {
    return thrownBy(
        () ->
            plan.coverage()
                .require(request.settings().run().minimumCoverage(), checkpoint.location()));
  }

  private Optional<EngineException> refusal(
      JobNeeds needs, Checkpoint checkpoint, StatisticsPlan statistics, Path folder, long free) {
    return thrownBy(
        () -> {
          needs.requireMemory(claimant.node().budget(), statistics.memoryNeeded(checkpoint));
          statistics.choice().requireText();
          DiskSpace.require(folder, needs.diskBytes(), free);
        });
  }

  private static Optional<EngineException> thrownBy(Runnable check) {
    try {
      check.run();
      return Optional.empty();
    } catch (EngineException e) {
      return Optional.of(e);
    }
  }

  private static Plan warned(Plan plan, StatisticsChoice choice, Optional<BudgetPlan> budget) {
    Plan noted = choice.note().map(plan::warning).orElse(plan);
    return budget.isPresent() && !(choice.used() instanceof StatisticsSource.None)
        ? noted.warning(
            "Quantize chooses by the errors of outputs, after it has taken statistics; this choice"
                + " is by those of weights and may be another.")
        : noted;
  }

  private static Path existing(Path path) {
    Path at = path;
    while (!Files.exists(at) && at.getParent() != null) {
      at = at.getParent();
    }
    return at;
  }
}

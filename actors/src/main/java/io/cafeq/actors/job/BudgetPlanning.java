package io.cafeq.actors.job;

import io.cafeq.actors.memory.MemoryBudget;
import io.cafeq.config.Recipe;
import io.cafeq.config.RunSettings;
import io.cafeq.config.Settings;
import io.cafeq.engine.budget.BudgetPlan;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.compute.Compute;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.output.OutputFolder;
import io.cafeq.engine.output.ResultIdentity;
import io.cafeq.engine.receipt.JobIdentity;
import io.cafeq.engine.statistics.InputStatistics;
import java.nio.file.Files;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * Where the plan of a recipe with a target comes from: an earlier run of the same job, or
 * measurements.
 */
final class BudgetPlanning {
  private final Checkpoint checkpoint;
  private final Settings settings;
  private final StopFlag stop;

  BudgetPlanning(Checkpoint checkpoint, Settings settings, StopFlag stop) {
    this.checkpoint = checkpoint;
    this.settings = settings;
    this.stop = stop;
  }

  /**
   * Empty where the recipe has no target, and where the folder's result is of another recipe: the
   * job is then refused without measuring anything.
   *
   * @param statistics takes those of all layers; asked only where the plan is measured
   */
  Optional<BudgetPlan> plan(OutputFolder folder, Supplier<InputStatistics> statistics) {
    Recipe recipe = settings.recipe();
    if (recipe.targetBitsPerWeight().isEmpty()) {
      return Optional.empty();
    }
    Optional<ResultIdentity> earlier = folder.earlierIdentity();
    if (earlier.isPresent() && !isSameJob(earlier.get(), recipe)) {
      return Optional.empty();
    }
    if (earlier.isPresent() && Files.exists(folder.planFile())) {
      return Optional.of(BudgetPlan.read(folder.planFile(), checkpoint, recipe));
    }
    RunSettings run = settings.run();
    InputStatistics taken = statistics.get();
    return Optional.of(
        BudgetPlan.measure(
            checkpoint,
            recipe,
            taken,
            Compute.open(run.backend().orElse("auto")),
            run.resolvedLanes(),
            MemoryBudget.of(run.resolvedMaxMemory()).pool(),
            stop));
  }

  private static boolean isSameJob(ResultIdentity earlier, Recipe recipe) {
    return earlier.recipeHash().equals(recipe.hash())
        && earlier.algorithmVersion() == JobIdentity.ALGORITHM_VERSION;
  }
}

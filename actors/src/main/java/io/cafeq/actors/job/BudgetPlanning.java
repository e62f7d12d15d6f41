package io.cafeq.actors.job;

import io.cafeq.config.Recipe;
import io.cafeq.engine.budget.BudgetPlan;
import io.cafeq.engine.checkpoint.Checkpoint;
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
record BudgetPlanning(Checkpoint checkpoint, Recipe recipe, Claimant claimant) {
  /**
   * Empty where the recipe has no target, and where the folder's result is of another recipe: the
   * job is then refused without measuring anything.
   *
   * @param statistics takes those of all layers; asked only where the plan is measured
   */
  Optional<BudgetPlan> plan(OutputFolder folder, Supplier<InputStatistics> statistics) {
    if (recipe.targetBitsPerWeight().isEmpty()) {
      return Optional.empty();
    }
    Optional<ResultIdentity> earlier = folder.earlierIdentity();
    if (earlier.isPresent() && !isSameJob(earlier.get())) {
      return Optional.empty();
    }
    if (earlier.isPresent() && Files.exists(folder.planFile())) {
      return Optional.of(BudgetPlan.read(folder.planFile(), checkpoint, recipe));
    }
    return Optional.of(measure(statistics.get()));
  }

  /** Measures the errors of samples on the node's lanes and chooses by them. */
  BudgetPlan measure(InputStatistics statistics) {
    return BudgetPlan.measure(
        checkpoint, recipe, statistics, claimant.compute(), claimant.measuring(), claimant.stop());
  }

  private boolean isSameJob(ResultIdentity earlier) {
    return earlier.recipeHash().equals(recipe.hash())
        && earlier.algorithmVersion() == JobIdentity.ALGORITHM_VERSION;
  }
}

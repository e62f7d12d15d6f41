package io.cafeq.engine.budget;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.config.Recipe;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.compute.Compute;
import io.cafeq.engine.compute.Numerics;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.model.Miniature;
import io.cafeq.engine.plan.PlanEstimate;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.quantize.Progress;
import io.cafeq.engine.quantize.UnitQuantizer;
import io.cafeq.engine.receipt.JobIdentity;
import io.cafeq.engine.receipt.UnitFigures;
import io.cafeq.engine.receipt.UnitReceipt;
import io.cafeq.engine.statistics.InputStatistics;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

/**
 * Targets on models of every family: fused tensors, experts, pairs of both kinds, packed sources.
 */
@Numerics
class BudgetFamiliesTest {
  private static final double TARGET = 5.5;

  @TempDir Path folder;

  @ParameterizedTest
  @FieldSource("io.cafeq.engine.model.Miniature#NAMES")
  void aTargetHoldsInEveryFamily(String name) throws Exception {
    Miniature.of(name, 3).write(folder.resolve("model"), Miniature.Spread.APART);
    Recipe recipe =
        Recipe.of(
            Map.of(
                "target-bpw",
                Double.toString(TARGET),
                "steps",
                "10",
                "pair-steps",
                "10",
                "baselines",
                "off"));
    Compute compute = Compute.open("auto");
    StopFlag stop = new StopFlag();
    try (Checkpoint checkpoint = Checkpoint.open(folder.resolve("model"))) {
      UnitQuantizer quantizer =
          new UnitQuantizer(
              checkpoint,
              new JobIdentity(recipe.hash(), JobIdentity.ALGORITHM_VERSION),
              compute,
              InputStatistics.NONE,
              new UnitQuantizer.Options(true, false, recipe.statistics().damping()));
      BudgetPlan budget =
          BudgetPlan.measure(
              checkpoint, recipe, InputStatistics.NONE, compute, new ThreadLanes(1), stop);
      assertThat(PlanEstimate.of(budget.plan()).bitsPerWeight()).isBetween(TARGET - 0.5, TARGET);

      Path kept = folder.resolve("plan.json");
      budget.keep(kept);
      assertThat(BudgetPlan.read(kept, checkpoint, recipe).plan()).isEqualTo(budget.plan());

      Files.createDirectories(folder.resolve("out/units"));
      long bits = 0;
      long weights = 0;
      for (Unit unit : budget.plan().units()) {
        UnitReceipt receipt = quantizer.quantize(unit, folder.resolve("out"), stop, Progress.NONE);
        UnitFigures figures = receipt.figures();
        if (figures != null) {
          bits += figures.result().bits();
          weights += figures.weights();
          assertThat(figures.result().relativeError(figures.squaredNorm()))
              .as(unit.id())
              .isLessThan(0.2);
        }
      }
      assertThat((double) bits / weights).isLessThanOrEqualTo(TARGET);
    }
  }
}

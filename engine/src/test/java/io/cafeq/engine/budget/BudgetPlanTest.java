package io.cafeq.engine.budget;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.cafeq.config.Recipe;
import io.cafeq.config.ScaleStorage;
import io.cafeq.config.Side;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.compute.Compute;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.plan.Part;
import io.cafeq.engine.plan.PlanEstimate;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.sample.SampleCheckpoint;
import io.cafeq.engine.sample.SampleShape;
import io.cafeq.engine.statistics.InputStatistics;
import io.cafeq.engine.transform.TransformSpec;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class BudgetPlanTest {
  private Checkpoint checkpoint;

  @BeforeAll
  void makeCheckpoint(@TempDir Path folder) {
    SampleShape shape =
        new SampleShape(
            2,
            128,
            128,
            4,
            2,
            64,
            Dtype.BF16,
            true,
            SampleShape.Distribution.STUDENT,
            0.01,
            1L << 30);
    SampleCheckpoint.write(shape, 1, folder.resolve("model"), new StopFlag());
    checkpoint = Checkpoint.open(folder.resolve("model"));
  }

  @AfterAll
  void closeCheckpoint() {
    checkpoint.close();
  }

  @Test
  void usesTheBitsAndNoMore() {
    double before = Double.POSITIVE_INFINITY;
    for (double target : new double[] {3.3, 4.1, 4.6}) {
      BudgetPlan budget = measure(Map.of("target-bpw", Double.toString(target)), 2);

      PlanEstimate estimate = PlanEstimate.of(budget.plan());
      assertThat(estimate.bitsPerWeight()).isBetween(target - 0.1, target);
      assertThat(budget.predicted().bitsPerWeight())
          .isCloseTo(estimate.bitsPerWeight(), within(1e-9));
      assertThat(budget.predicted().weights()).isEqualTo(estimate.quantized().weights());
      assertThat(budget.predicted().relativeError()).isPositive().isLessThan(before);
      before = budget.predicted().relativeError();
    }
  }

  @Test
  void unitsSayWhatWasPredictedOfThem() {
    BudgetPlan budget = measure(Map.of("target-bpw", "4.2"), 1);

    Predicted sum =
        budget.plan().units().stream()
            .flatMap(unit -> budget.predicted(unit).stream())
            .reduce(Predicted.NOTHING, Predicted::plus);
    assertThat(sum.bits()).isEqualTo(budget.predicted().bits());
    assertThat(sum.error()).isCloseTo(budget.predicted().error(), within(1e-9));
    assertThat(budget.plan().units())
        .filteredOn(Unit.Copied.class::isInstance)
        .allSatisfy(unit -> assertThat(budget.predicted(unit)).isEmpty());
  }

  @Test
  void doesNotDependOnThreads() {
    Map<String, String> recipe = Map.of("target-bpw", "4.2");
    assertThat(measure(recipe, 3).plan()).isEqualTo(measure(recipe, 1).plan());
  }

  @Test
  void whatIsFixedStays() {
    BudgetPlan budget =
        measure(
            Map.of(
                "target-bpw",
                "5",
                "bits",
                "4",
                "group",
                "32",
                "scales",
                "offset",
                "side",
                "output",
                "block",
                "16",
                "pairs",
                "false"),
            2);

    for (Unit unit : budget.plan().units()) {
      if (unit instanceof Unit.Quantized quantized) {
        for (Part part : quantized.parts()) {
          Part.Stack stack = (Part.Stack) part;
          assertThat(stack.treatment().grid().bits()).isEqualTo(4);
          assertThat(stack.treatment().grid().group()).isEqualTo(32);
          assertThat(stack.treatment().grid().storage()).isEqualTo(ScaleStorage.OFFSET);
          if (stack.treatment().transform() instanceof TransformSpec.BlockDiagonal blocks) {
            assertThat(blocks.side()).isEqualTo(Side.OUTPUT);
            assertThat(blocks.block()).isEqualTo(16);
          }
        }
      }
    }
  }

  @Test
  void matricesThatLoadersFuseHaveOneGrid() {
    BudgetPlan budget =
        measure(Map.of("target-bpw", "4.6", "target", "compressed-tensors", "group", "auto"), 2);

    Map<String, GridSpec> grids = new HashMap<>();
    for (Unit unit : budget.plan().units()) {
      if (unit instanceof Unit.Quantized quantized) {
        for (Part part : quantized.parts()) {
          switch (part) {
            case Part.Stack stack ->
                stack
                    .rows()
                    .forEach(range -> grids.put(range.tensor().name(), stack.treatment().grid()));
            case Part.Pair pair -> {
              grids.put(pair.left().name(), pair.treatment().left());
              grids.put(pair.right().name(), pair.treatment().right());
            }
          }
        }
      }
    }
    assertThat(grids).hasSize(14);
    for (int layer = 0; layer < 2; layer++) {
      String attention = "model.layers." + layer + ".self_attn.";
      String feedForward = "model.layers." + layer + ".mlp.";
      assertThat(grids.get(attention + "k_proj.weight"))
          .isEqualTo(grids.get(attention + "q_proj.weight"))
          .isEqualTo(grids.get(attention + "v_proj.weight"));
      assertThat(grids.get(feedForward + "up_proj.weight"))
          .isEqualTo(grids.get(feedForward + "gate_proj.weight"));
    }
    assertThat(grids.values())
        .allSatisfy(grid -> assertThat(grid.storage()).isEqualTo(ScaleStorage.SIGNED))
        .allSatisfy(grid -> assertThat(grid.group()).isIn(0, 32, 64, 128));
    assertThat(grids.values().stream().distinct().count()).isGreaterThan(1);
    assertThat(PlanEstimate.of(budget.plan()).bitsPerWeight()).isBetween(4.2, 4.6);
  }

  @Test
  void plainRoundingOnlyWhereAskedFor() {
    BudgetPlan budget = measure(Map.of("target-bpw", "3.7", "method", "rtn"), 2);

    assertThat(stacks(budget))
        .isNotEmpty()
        .allMatch(stack -> stack.treatment().transform() instanceof TransformSpec.None);
  }

  @Test
  void refusesATargetThatCannotBe() {
    assertThatThrownBy(() -> measure(Map.of("target-bpw", "4", "bits", "4", "pairs", "false"), 1))
        .isInstanceOfSatisfying(
            EngineException.class,
            failure -> {
              assertThat(failure.kind()).isEqualTo(FailureKind.USAGE);
              assertThat(failure).hasMessageContaining("the least possible is 4.");
            });
  }

  @Test
  void comesBackFromItsFile(@TempDir Path folder) {
    Map<String, String> recipe = Map.of("target-bpw", "4.2");
    BudgetPlan measured = measure(recipe, 2);
    Path file = folder.resolve("plan.json");
    measured.keep(file);

    BudgetPlan read = BudgetPlan.read(file, checkpoint, recipe(recipe));

    assertThat(read.plan()).isEqualTo(measured.plan());
    assertThat(read.predicted().bits()).isEqualTo(measured.predicted().bits());
    assertThat(read.predicted().error()).isCloseTo(measured.predicted().error(), within(1e-9));
  }

  @Test
  void trustsNoFileThatDoesNotFit(@TempDir Path folder) throws Exception {
    Map<String, String> recipe = Map.of("target-bpw", "4.2");
    Path file = folder.resolve("plan.json");
    measure(recipe, 2).keep(file);
    String good = Files.readString(file);

    List<String> bad =
        List.of(
            "",
            "{}",
            "null",
            good.substring(0, good.length() / 2),
            good.replaceFirst("\"bits\" : \\d", "\"bits\" : 9"),
            good.replaceFirst("\"bits\" : \\d", "\"bits\" : 1000000000"),
            good.replaceAll("\"bits\" : \\d", "\"bits\" : 6"),
            good.replaceFirst("\"group\" : \\d+", "\"group\" : 7"),
            good.replaceFirst("\"block\" : \\d+", "\"block\" : 1073741824"),
            good.replaceFirst("\"error\" : [^,\\s]+", "\"error\" : -1"),
            good.replaceFirst("layers\\.0", "layers.9"),
            good.replaceFirst("\"division\" : \"[A-Z]+\"", "\"division\" : \"NONE\""),
            good.replaceFirst("\"recipe_hash\" : \"..", "\"recipe_hash\" : \"zz"));
    for (String text : bad) {
      assertThat(text).isNotEqualTo(good);
      Files.writeString(file, text);
      assertThatThrownBy(() -> BudgetPlan.read(file, checkpoint, recipe(recipe)))
          .isInstanceOfSatisfying(
              EngineException.class,
              failure -> assertThat(failure.kind()).isEqualTo(FailureKind.RESULT));
    }
  }

  private static List<Part.Stack> stacks(BudgetPlan budget) {
    return budget.plan().units().stream()
        .filter(Unit.Quantized.class::isInstance)
        .flatMap(unit -> ((Unit.Quantized) unit).parts().stream())
        .map(Part.Stack.class::cast)
        .toList();
  }

  private static Recipe recipe(Map<String, String> changes) {
    Map<String, String> all = new HashMap<>(Map.of("steps", "10", "pair-steps", "10"));
    all.putAll(changes);
    return Recipe.of(all);
  }

  private BudgetPlan measure(Map<String, String> changes, int threads) {
    return BudgetPlan.measure(
        checkpoint,
        recipe(changes),
        InputStatistics.NONE,
        Compute.open("scalar"),
        new ThreadLanes(threads),
        new StopFlag());
  }
}

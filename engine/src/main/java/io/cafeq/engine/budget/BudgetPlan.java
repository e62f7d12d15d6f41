package io.cafeq.engine.budget;

import io.cafeq.config.Recipe;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.compute.Compute;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.family.MatrixInputs;
import io.cafeq.engine.plan.Cluster;
import io.cafeq.engine.plan.Part;
import io.cafeq.engine.plan.Plan;
import io.cafeq.engine.plan.Planner;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.receipt.JobIdentity;
import io.cafeq.engine.statistics.InputStatistics;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A plan whose stored bits stay within the recipe's {@code target-bpw} at the least predicted sum
 * of weights times squared relative errors. The same checkpoint, recipe, backend and CPU kernel
 * give the same plan.
 */
public final class BudgetPlan {
  private final Plan plan;
  private final PlanFile file;
  private final Map<String, Predicted> byFirstRow;

  private BudgetPlan(Plan plan, PlanFile file, List<Cluster> clusters, List<Chosen> chosen) {
    this.plan = plan;
    this.file = file;
    this.byFirstRow = predicted(clusters, chosen);
  }

  /**
   * Measures samples of all tensors that are to be quantized, and chooses. Takes a part of the time
   * of quantizing that falls with the number of layers, since transforms are tried on a few layers
   * of each kind. Borrows checkpoint and backend.
   *
   * @param recipe with a target
   * @param statistics of all inputs, as far as there are any: the errors are then those of the
   *     outputs
   * @param lanes that the measurements run on
   * @throws EngineException with kind USAGE where the target cannot be met, CHECKPOINT for broken
   *     weights, STOPPED
   */
  public static BudgetPlan measure(
      Checkpoint checkpoint,
      Recipe recipe,
      InputStatistics statistics,
      Compute compute,
      MeasuringLanes lanes,
      StopFlag stop) {
    PieceInputs inputs =
        new PieceInputs(statistics, MatrixInputs.of(checkpoint), recipe.statistics().damping());
    BudgetChooser chooser =
        new BudgetChooser(recipe, new PieceMeasurer(checkpoint, inputs, compute, lanes, stop));
    Recorder recorder = new Recorder(chooser);
    Plan plan = Planner.plan(checkpoint, recipe, recorder);
    StoredChoices stored = new StoredChoices(recipe);
    List<PlanFile.Entry> entries = new ArrayList<>();
    for (int i = 0; i < recorder.clusters.size(); i++) {
      entries.add(stored.store(recorder.clusters.get(i), chooser.chosen().get(i)));
    }
    PlanFile file = new PlanFile(identity(recipe), compute.kernel(), entries);
    return new BudgetPlan(plan, file, recorder.clusters, chooser.chosen());
  }

  /**
   * The plan that an earlier run kept.
   *
   * @throws EngineException with kind RESULT where the file is not what {@link #keep} wrote for
   *     this recipe and checkpoint
   */
  public static BudgetPlan read(Path path, Checkpoint checkpoint, Recipe recipe) {
    PlanFile file = PlanFile.read(path);
    if (!file.identity().equals(identity(recipe))) {
      throw PlanFile.damaged(path, "it is of another recipe or program", null);
    }
    List<Chosen> chosen = new ArrayList<>();
    Recorder recorder =
        new Recorder(
            clusters -> {
              chosen.addAll(
                  new StoredChoices(recipe)
                      .restore(file.clusters(), clusters)
                      .orElseThrow(
                          () ->
                              PlanFile.damaged(
                                  path, "it is of another checkpoint, or was changed", null)));
              List<Cluster.Decision> decisions = new ArrayList<>();
              for (int i = 0; i < clusters.size(); i++) {
                decisions.add(chosen.get(i).decision(clusters.get(i), recipe));
              }
              return decisions;
            });
    Plan plan = Planner.plan(checkpoint, recipe, recorder);
    return new BudgetPlan(plan, file, recorder.clusters, chosen);
  }

  /** Remembers what was asked. */
  private static final class Recorder implements Cluster.Chooser {
    private final Cluster.Chooser chooser;
    private List<Cluster> clusters = List.of();

    private Recorder(Cluster.Chooser chooser) {
      this.chooser = chooser;
    }

    @Override
    public List<Cluster.Decision> choose(List<Cluster> asked) {
      clusters = List.copyOf(asked);
      return chooser.choose(asked);
    }
  }

  private static JobIdentity identity(Recipe recipe) {
    return new JobIdentity(recipe.hash(), JobIdentity.ALGORITHM_VERSION);
  }

  public Plan plan() {
    return plan;
  }

  /** Writes what was chosen, durably, for {@link #read}. */
  public void keep(Path path) {
    file.write(path);
  }

  /** Of all quantized tensors. */
  public Predicted predicted() {
    return byFirstRow.values().stream().reduce(Predicted.NOTHING, Predicted::plus);
  }

  /** Of one unit; empty for copied tensors. */
  public Optional<Predicted> predicted(Unit unit) {
    return switch (unit) {
      case Unit.Quantized quantized ->
          Optional.of(
              quantized.parts().stream()
                  .map(part -> byFirstRow.getOrDefault(key(part), Predicted.NOTHING))
                  .reduce(Predicted.NOTHING, Predicted::plus));
      case Unit.Copied copied -> Optional.empty();
    };
  }

  private static Map<String, Predicted> predicted(List<Cluster> clusters, List<Chosen> chosen) {
    Map<String, Predicted> byFirstRow = new LinkedHashMap<>();
    for (int i = 0; i < clusters.size(); i++) {
      Chosen own = chosen.get(i);
      switch (clusters.get(i)) {
        case Cluster.Coupled pair ->
            byFirstRow.put(key(Pieces.left(pair).ranges().getFirst()), own.predicted());
        case Cluster.Matrices matrices -> {
          for (int part = 0; part < own.parts().size(); part++) {
            byFirstRow.put(
                key(matrices.members().get(part).rows().getFirst()),
                own.parts().get(part).predicted());
          }
        }
      }
    }
    return byFirstRow;
  }

  private static String key(Part part) {
    return switch (part) {
      case Part.Stack stack -> key(stack.rows().getFirst());
      case Part.Pair pair -> key(pair.leftRows().getFirst());
    };
  }

  private static String key(Part.RowRange range) {
    return range.first() + " " + range.tensor().name();
  }
}

package io.cafeq.engine.budget;

import io.cafeq.config.Recipe;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.plan.Cluster;
import io.cafeq.engine.transform.TransformSpec;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Measures and chooses: for each cluster of a plan the treatments that keep all stored bits within
 * the recipe's {@code target-bpw} at the least sum of weights times squared relative errors, as
 * predicted by {@link PredictedErrors}. A pair counts as its squared PQE / 2 on the weights of both
 * matrices.
 *
 * <p>The same checkpoint, recipe, backend and CPU kernel give the same choice, whatever the number
 * of threads. Used once.
 */
final class BudgetChooser implements Cluster.Chooser {
  private final Recipe recipe;
  private final PieceMeasurer measurements;
  private final List<Chosen> all = new ArrayList<>();

  /**
   * @param recipe with a target
   */
  BudgetChooser(Recipe recipe, PieceMeasurer measurements) {
    this.recipe = recipe;
    this.measurements = measurements;
  }

  @Override
  public List<Cluster.Decision> choose(List<Cluster> clusters) {
    PredictedErrors predictions = PredictedErrors.measure(clusters, recipe, measurements);
    List<Allocation.Cluster<Choice>> priced =
        clusters.stream().map(cluster -> price(cluster, predictions)).toList();
    long budget = budget(clusters, recipe);
    LinkedClusters linked = LinkedClusters.of(clusters, priced);
    requirePossible(
        Allocation.leastBits(linked.clusters()),
        budget,
        clusters.stream().mapToLong(Cluster::weights).sum());
    List<Allocation.Chosen<Choice>> choices =
        linked.apart(Allocation.within(linked.clusters(), budget).choices());
    List<Cluster.Decision> decisions = new ArrayList<>();
    for (int i = 0; i < clusters.size(); i++) {
      Chosen chosen = chosen(clusters.get(i), choices.get(i));
      all.add(chosen);
      decisions.add(chosen.decision(clusters.get(i), recipe));
    }
    return decisions;
  }

  /** All bits that the target allows. */
  static long budget(List<Cluster> clusters, Recipe recipe) {
    long weights = clusters.stream().mapToLong(Cluster::weights).sum();
    return (long) Math.floor(recipe.targetBitsPerWeight().orElseThrow() * weights);
  }

  /** What was chosen for each cluster, in order; empty before. */
  List<Chosen> chosen() {
    return List.copyOf(all);
  }

  private Allocation.Cluster<Choice> price(Cluster cluster, PredictedErrors predictions) {
    List<List<Allocation.Part<Choice>>> divisions = new ArrayList<>();
    switch (cluster) {
      case Cluster.Matrices matrices -> {
        if (Pieces.isApart(matrices)) {
          divisions.add(
              Pieces.apart(matrices).stream()
                  .map(piece -> new Allocation.Part<>(predictions.offers(piece)))
                  .toList());
        }
        Pieces.together(matrices)
            .map(predictions::offers)
            .filter(offers -> !offers.isEmpty())
            .ifPresent(offers -> divisions.add(List.of(new Allocation.Part<>(offers))));
      }
      case Cluster.Coupled pair ->
          divisions.add(
              List.of(
                  new Allocation.Part<>(
                      factor(
                          pair,
                          PairGrids.left(pair, recipe),
                          Pieces.left(pair),
                          true,
                          predictions)),
                  new Allocation.Part<>(
                      factor(
                          pair,
                          PairGrids.right(pair, recipe),
                          Pieces.right(pair),
                          false,
                          predictions))));
    }
    return new Allocation.Cluster<>(divisions);
  }

  private List<Offer<Choice>> factor(
      Cluster.Coupled pair,
      PairGrids grids,
      Piece piece,
      boolean left,
      PredictedErrors predictions) {
    PlainErrors plain = predictions.plain(piece);
    Gains gains = predictions.gains(pair);
    // The inverses that are stored where the transform is undone do not depend on the grids: the
    // left factor pays for both.
    long reverse = left ? PairGrids.reverseBits(pair, recipe) : 0;
    List<Offer<Choice>> offers = new ArrayList<>();
    for (GridSpec grid : grids.grids()) {
      Choice choice = new Choice(grid, new TransformSpec.None());
      double squared =
          plain.of(grids.reference(grid.bits(), grid.group())) * gains.ratio(grid, piece.columns());
      offers.add(new Offer<>(choice, piece.bits(choice) + reverse, squared / 2 * pair.weights()));
    }
    return piece.settings().fused().isPresent() ? offers : Offer.undominated(offers);
  }

  private static void requirePossible(long least, long budget, long weights) {
    if (least > budget) {
      throw new EngineException(
          FailureKind.USAGE,
          String.format(
              Locale.ROOT,
              "target-bpw allows %.4f bits per weight; the least possible is %.4f",
              (double) budget / weights,
              Math.ceil(1e4 * least / weights) / 1e4),
          "Ask for at least that, or leave more to be chosen: bits, group, scales, side and block"
              + " can be auto.");
    }
  }

  private static boolean isApart(Cluster.Matrices matrices, Allocation.Chosen<Choice> choice) {
    return choice.division() == 0 && Pieces.isApart(matrices);
  }

  private static Chosen chosen(Cluster cluster, Allocation.Chosen<Choice> choice) {
    List<Piece> pieces =
        switch (cluster) {
          case Cluster.Matrices matrices ->
              isApart(matrices, choice)
                  ? Pieces.apart(matrices)
                  : Pieces.together(matrices).stream().toList();
          case Cluster.Coupled pair -> List.of(Pieces.left(pair), Pieces.right(pair));
        };
    PlanFile.Division division =
        switch (cluster) {
          case Cluster.Matrices matrices ->
              isApart(matrices, choice) ? PlanFile.Division.APART : PlanFile.Division.TOGETHER;
          case Cluster.Coupled pair -> PlanFile.Division.PAIRED;
        };
    List<Chosen.Part> parts = new ArrayList<>();
    for (int i = 0; i < pieces.size(); i++) {
      Offer<Choice> offer = choice.offers().get(i);
      parts.add(
          new Chosen.Part(
              offer.what(), new Predicted(pieces.get(i).weights(), offer.bits(), offer.error())));
    }
    return new Chosen(division, parts);
  }
}

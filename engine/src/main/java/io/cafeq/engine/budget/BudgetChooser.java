package io.cafeq.engine.budget;

import io.cafeq.config.Recipe;
import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.grid.GridSpec;
import io.cafeq.engine.plan.Cluster;
import io.cafeq.engine.plan.PairTreatment;
import io.cafeq.engine.plan.Treatment;
import io.cafeq.engine.transform.TransformSpec;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Measures and chooses: for each cluster of a plan the treatments that keep all stored bits within the recipe's {@code
 * target-bpw} at the least sum of weights times squared relative errors, as predicted by {@link Predictions}. A pair counts as its
 * squared PQE / 2 on the weights of both matrices.
 *
 * <p>The same checkpoint, recipe, backend and CPU kernel give the same choice, whatever the number of threads. Used once.
 */
final class BudgetChooser implements Cluster.Chooser {
  private final Recipe recipe;
  private final Measurements measurements;
  private final List<Chosen> chosen = new ArrayList<>();

  /** @param recipe with a target */
  BudgetChooser(Recipe recipe, Measurements measurements) {
    this.recipe = recipe;
    this.measurements = measurements;
  }

  @Override
  public List<Cluster.Decision> choose(List<Cluster> clusters) {
    Predictions predictions = Predictions.measure(clusters, recipe, measurements);
    List<Allocation.Cluster<Choice>> priced = clusters.stream().map(cluster -> price(cluster, predictions)).toList();
    long weights = clusters.stream().mapToLong(Cluster::weights).sum();
    long budget = (long) Math.floor(recipe.targetBitsPerWeight().orElseThrow() * weights);
    requirePossible(Allocation.leastBits(priced), budget, weights);
    Allocation<Choice> allocation = Allocation.within(priced, budget);
    for (int i = 0; i < clusters.size(); i++) {
      chosen.add(chosen(clusters.get(i), allocation.choices().get(i)));
    }
    return chosen.stream().map(Chosen::decision).toList();
  }

  /** What was chosen for each cluster, in order; empty before. */
  List<Chosen> chosen() {
    return List.copyOf(chosen);
  }

  private Allocation.Cluster<Choice> price(Cluster cluster, Predictions predictions) {
    List<List<Allocation.Part<Choice>>> divisions = new ArrayList<>();
    switch (cluster) {
      case Cluster.Matrices matrices -> {
        divisions.add(Pieces.apart(matrices).stream()
            .map(piece -> new Allocation.Part<>(predictions.offers(piece)))
            .toList());
        Pieces.together(matrices).map(predictions::offers).filter(offers -> !offers.isEmpty())
            .ifPresent(offers -> divisions.add(List.of(new Allocation.Part<>(offers))));
      }
      case Cluster.Coupled pair ->
          divisions.add(List.of(
              new Allocation.Part<>(factor(pair, PairGrids.left(pair, recipe), Pieces.left(pair), true, predictions)),
              new Allocation.Part<>(factor(pair, PairGrids.right(pair, recipe), Pieces.right(pair), false, predictions))));
    }
    return new Allocation.Cluster<>(divisions);
  }

  private List<Offer<Choice>> factor(
      Cluster.Coupled pair, PairGrids grids, Piece piece, boolean left, Predictions predictions) {
    PlainErrors plain = predictions.plain(piece);
    Gains gains = predictions.gains(pair);
    // The inverses that are stored where the transform is undone do not depend on the grids: the left factor pays for both.
    GridSpec any = grids.grid(grids.bits().getFirst(), grids.groups().getFirst());
    long reverse = left ? pair.treated(PairTreatment.of(recipe, pair.leftSettings(), any, any)).reverseBits() : 0;
    List<Offer<Choice>> offers = new ArrayList<>();
    for (int bits : grids.bits()) {
      for (int group : grids.groups()) {
        GridSpec grid = grids.grid(bits, group);
        double squared = plain.of(grids.reference(bits, group)) * gains.ratio(grid, piece.columns());
        offers.add(new Offer<>(
            new Choice(grid, new TransformSpec.None()),
            piece.rows() * grid.bitsPerRow(piece.columns()) + reverse,
            squared / 2 * pair.weights()));
      }
    }
    return offers;
  }

  private static void requirePossible(long least, long budget, long weights) {
    if (least > budget) {
      throw new EngineException(
          FailureKind.USAGE,
          String.format(
              Locale.ROOT, "target-bpw allows %.4f bits a weight, and the least that is possible is %.4f",
              (double) budget / weights, Math.ceil(1e4 * least / weights) / 1e4),
          "Ask for at least that, or leave more to be chosen: bits, group, scales, side and block can be auto.");
    }
  }

  private Chosen chosen(Cluster cluster, Allocation.Chosen<Choice> choice) {
    List<Offer<Choice>> offers = choice.offers();
    return switch (cluster) {
      case Cluster.Matrices matrices -> {
        List<Treatment> treatments = offers.stream()
            .map(offer -> Treatment.of(recipe, matrices.settings(), offer.what().grid(), offer.what().transform()))
            .toList();
        boolean together = choice.division() > 0;
        List<Chosen.Predicted> predicted = new ArrayList<>();
        for (int i = 0; i < offers.size(); i++) {
          predicted.add(predicted(offers.get(i), together ? matrices.weights() : matrices.members().get(i).weights()));
        }
        yield new Chosen(
            together
                ? new Cluster.Decision.Together(treatments.getFirst())
                : new Cluster.Decision.Apart(treatments),
            predicted);
      }
      case Cluster.Coupled pair -> {
        PairTreatment treatment = PairTreatment.of(
            recipe, pair.leftSettings(), offers.getFirst().what().grid(), offers.getLast().what().grid());
        yield new Chosen(
            new Cluster.Decision.Paired(treatment),
            List.of(new Chosen.Predicted(
                pair.weights(),
                offers.getFirst().bits() + offers.getLast().bits(),
                offers.getFirst().error() + offers.getLast().error())));
      }
    };
  }

  private static Chosen.Predicted predicted(Offer<Choice> offer, long weights) {
    return new Chosen.Predicted(weights, offer.bits(), offer.error());
  }
}

package io.cafeq.engine.budget;

import io.cafeq.config.Recipe;
import io.cafeq.engine.plan.Cluster;
import io.cafeq.engine.plan.PairTreatment;
import io.cafeq.engine.plan.Treatment;
import java.util.List;

/**
 * The choice for a cluster.
 *
 * @param parts for TOGETHER one, for APART one for each matrix, for PAIRED the left and the right
 *     matrix
 */
record Chosen(PlanFile.Division division, List<Part> parts) {
  Chosen {
    parts = List.copyOf(parts);
  }

  /** One part of the cluster. */
  record Part(Choice choice, Predicted predicted) {}

  /** Of all parts together. */
  Predicted predicted() {
    return parts.stream().map(Part::predicted).reduce(Predicted.NOTHING, Predicted::plus);
  }

  /** The same for the planner. */
  Cluster.Decision decision(Cluster cluster, Recipe recipe) {
    return switch (cluster) {
      case Cluster.Matrices matrices -> {
        List<Treatment> treatments =
            parts.stream()
                .map(
                    part ->
                        Treatment.of(
                            recipe,
                            matrices.settings(),
                            part.choice().grid(),
                            part.choice().transform()))
                .toList();
        yield switch (division) {
          case TOGETHER -> new Cluster.Decision.Together(treatments.getFirst());
          case APART -> new Cluster.Decision.Apart(treatments);
          case PAIRED -> throw new IllegalStateException("matrices are no pair");
        };
      }
      case Cluster.Coupled pair ->
          new Cluster.Decision.Paired(
              PairTreatment.of(
                  recipe,
                  pair.leftSettings(),
                  parts.getFirst().choice().grid(),
                  parts.getLast().choice().grid()));
    };
  }
}

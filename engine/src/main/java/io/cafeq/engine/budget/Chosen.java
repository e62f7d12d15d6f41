package io.cafeq.engine.budget;

import io.cafeq.engine.plan.Cluster;
import java.util.List;

/**
 * What was chosen for a cluster.
 *
 * @param predicted one for each treatment of the decision
 */
record Chosen(Cluster.Decision decision, List<Predicted> predicted) {
  Chosen {
    predicted = List.copyOf(predicted);
  }

  /**
   * @param bits everything that is stored
   * @param error weights times squared relative error
   */
  record Predicted(long weights, long bits, double error) {
    Predicted plus(Predicted other) {
      return new Predicted(weights + other.weights, bits + other.bits, error + other.error);
    }
  }
}

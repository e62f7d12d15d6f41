package io.cafeq.engine.measure;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.estimate.Basis;
import io.cafeq.engine.estimate.ModelLayout;
import io.cafeq.engine.statistics.MatrixInput;
import java.util.Collection;
import java.util.Collections;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * How many inputs are estimated in which way.
 *
 * @param whole inputs of which all features are known
 * @param floors inputs for which 1 / mean square of the columns has to do, by the reason why
 */
public record EstimateKinds(int whole, SortedMap<String, Integer> floors) {
  /** Of what estimates nothing. */
  static final EstimateKinds NONE = new EstimateKinds(0, new TreeMap<>());

  public EstimateKinds {
    floors = Collections.unmodifiableSortedMap(new TreeMap<>(floors));
  }

  static EstimateKinds of(Checkpoint checkpoint, MeasuredInputs inputs) {
    ModelLayout layout = ModelLayout.of(checkpoint);
    int whole = 0;
    SortedMap<String, Integer> floors = new TreeMap<>();
    for (int layer : inputs.layers()) {
      Collection<MatrixInput> all = inputs.of(layer);
      for (MatrixInput input : all) {
        switch (layout.basis(input.name()).orElse(null)) {
          case Basis.Features features -> whole++;
          case Basis.Embedding embedding -> whole++;
          case Basis.Floor(String reason) -> floors.merge(reason, 1, Integer::sum);
          case null -> {
            // what experts fall back on is none of its own
          }
        }
      }
    }
    return new EstimateKinds(whole, floors);
  }
}

package io.cafeq.engine.quantize;

import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.Digests;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.plan.PlannedTensor;
import io.cafeq.engine.plan.Unit;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * SHA-256 of a unit's source tensors, taken while they are read where that happens in order, else
 * by reading them again.
 */
final class SourceHashes {
  private final SortedMap<String, String> known = new TreeMap<>();

  /** A hash taken on the way. */
  void put(TensorInfo tensor, String sha256) {
    known.put(tensor.name(), sha256);
  }

  /** All of the unit's tensors. */
  SortedMap<String, String> complete(Checkpoint checkpoint, Unit unit, StopFlag stop) {
    for (PlannedTensor tensor : unit.tensors()) {
      if (!known.containsKey(tensor.name())) {
        known.put(tensor.name(), Digests.tensor(checkpoint, tensor.info(), stop));
      }
    }
    return known;
  }
}

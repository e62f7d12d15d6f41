package io.cafeq.actors.job;

import io.cafeq.engine.checkpoint.Digests;
import io.cafeq.engine.plan.Plan;
import io.cafeq.engine.plan.PlannedTensor;
import io.cafeq.engine.plan.Unit;

/** Tells whether two nodes came to the same plan. */
final class PlanDigest {
  private PlanDigest() {}

  /** SHA-256 over the ids of all units and the names and shapes of their tensors, in order. */
  static String of(Plan plan) {
    StringBuilder text = new StringBuilder();
    for (Unit unit : plan.units()) {
      text.append(unit.id()).append('\n');
      for (PlannedTensor tensor : unit.tensors()) {
        text.append(tensor.name()).append(' ').append(tensor.info().shape()).append('\n');
      }
    }
    return Digests.text(text.toString());
  }
}

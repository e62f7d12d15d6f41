package io.cafeq.actors.job;

import io.cafeq.engine.measure.MeasuredInputs;
import io.cafeq.engine.plan.Unit;
import java.util.Comparator;
import java.util.List;
import java.util.OptionalInt;

/**
 * The order in which units are worked on: those that wait for no statistics first, then layer by
 * layer, in disk order.
 */
record UnitOrder(MeasuredInputs inputs) {
  List<Unit> sorted(List<Unit> units) {
    return units.stream().sorted(Comparator.comparingInt(unit -> layer(unit).orElse(-1))).toList();
  }

  /** The last layer whose statistics the unit needs. */
  OptionalInt layer(Unit unit) {
    return inputs.layer(unit);
  }
}

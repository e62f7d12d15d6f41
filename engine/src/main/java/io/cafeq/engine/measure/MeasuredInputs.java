package io.cafeq.engine.measure;

import io.cafeq.engine.checkpoint.WeightTensor;
import io.cafeq.engine.family.MatrixInputs;
import io.cafeq.engine.plan.Part;
import io.cafeq.engine.plan.Plan;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.statistics.MatrixInput;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;

/**
 * The inputs of the matrices that a plan quantizes, layer by layer, those that experts fall back on
 * among them.
 */
public final class MeasuredInputs {
  /** Of no layer at all. */
  public static final MeasuredInputs NOTHING = new MeasuredInputs();

  private final SortedMap<Integer, SortedMap<String, MatrixInput>> layers = new TreeMap<>();
  private final Map<String, Integer> lastLayerOfUnit = new HashMap<>();

  private MeasuredInputs() {}

  /** From names and shapes alone. */
  public static MeasuredInputs of(Plan plan, MatrixInputs inputs) {
    MeasuredInputs measured = new MeasuredInputs();
    for (Unit unit : plan.units()) {
      if (unit instanceof Unit.Quantized quantized) {
        quantized.parts().stream()
            .flatMap(MeasuredInputs::rows)
            .forEach(rows -> measured.add(unit, rows, inputs));
      }
    }
    return measured;
  }

  /** Layers of which something is measured. */
  public SortedSet<Integer> layers() {
    return Collections.unmodifiableSortedSet(new TreeSet<>(layers.keySet()));
  }

  /** What is measured of a layer, by name. */
  public Collection<MatrixInput> of(int layer) {
    return List.copyOf(layers.getOrDefault(layer, Collections.emptySortedMap()).values());
  }

  /** The last layer whose inputs a unit's matrices read; empty where none is measured. */
  public OptionalInt layer(Unit unit) {
    Integer layer = lastLayerOfUnit.get(unit.id());
    return layer == null ? OptionalInt.empty() : OptionalInt.of(layer);
  }

  private void add(Unit unit, Part.RowRange rows, MatrixInputs inputs) {
    WeightTensor weight = rows.tensor().weight();
    OptionalInt layer = inputs.layer(weight.name());
    inputs
        .of(weight, rows.expert())
        .filter(input -> layer.isPresent())
        .ifPresent(
            input -> {
              SortedMap<String, MatrixInput> ofLayer =
                  layers.computeIfAbsent(layer.getAsInt(), number -> new TreeMap<>());
              ofLayer.put(input.name(), input);
              input
                  .fallBack()
                  .ifPresent(
                      name ->
                          ofLayer.put(
                              name, new MatrixInput(name, input.channels(), Optional.empty())));
              lastLayerOfUnit.merge(unit.id(), layer.getAsInt(), Math::max);
            });
  }

  private static Stream<Part.RowRange> rows(Part part) {
    return switch (part) {
      case Part.Stack stack -> stack.rows().stream();
      case Part.Pair pair -> Stream.concat(pair.leftRows().stream(), pair.rightRows().stream());
    };
  }
}

package io.cafeq.engine.plan;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.family.FamilyShapes;
import io.cafeq.engine.family.ModelDescription;
import io.cafeq.engine.family.ModelFamily;
import io.cafeq.engine.family.Role;
import io.cafeq.engine.modelconfig.ModelConfig;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

/** What holds for the plan of every family. */
class PlannerFamiliesTest {
  private static final Set<Role> LEFT_ALONE =
      Set.of(Role.ROUTER, Role.NORM, Role.EMBEDDING, Role.HEAD, Role.OTHER);

  @ParameterizedTest
  @FieldSource("io.cafeq.engine.family.FamilyShapes#NAMES")
  void everyTensorIsInOneUnitAndOnlyMatricesAreQuantized(String name) {
    FamilyShapes shapes = FamilyShapes.of(name);
    Plan plan = plan(shapes);
    assertThat(plan.family())
        .isEqualTo(name.replaceFirst("_text$|_dense$|^roberta$", "").replaceFirst("^$", "bert"));
    ModelFamily family =
        ModelDescription.of(ModelConfig.of(shapes.configObject()), shapes.shapes()).family();
    assertThat(
            plan.units().stream().flatMap(unit -> unit.tensors().stream()).map(PlannedTensor::name))
        .containsExactlyInAnyOrderElementsOf(shapes.headers().keySet());
    Map<String, Role> quantized =
        plan.units().stream()
            .filter(Unit.Quantized.class::isInstance)
            .flatMap(unit -> unit.tensors().stream())
            .collect(Collectors.toMap(PlannedTensor::name, PlannedTensor::role));
    assertThat(quantized.values()).doesNotContainAnyElementsOf(LEFT_ALONE);
    assertThat(quantized.keySet())
        .containsAll(
            shapes.headers().keySet().stream()
                .filter(tensor -> family.place(tensor).role().isLinear())
                .toList());
  }

  /** Experts share files: one for what reads the layer's input, one for what leads back. */
  @ParameterizedTest
  @FieldSource("io.cafeq.engine.family.FamilyShapes#NAMES")
  void theExpertsOfALayerAreInTwoUnits(String name) {
    FamilyShapes shapes = FamilyShapes.of(name);
    ModelFamily family =
        ModelDescription.of(ModelConfig.of(shapes.configObject()), shapes.shapes()).family();
    Map<String, Long> units =
        plan(shapes).units().stream()
            .filter(Unit.Quantized.class::isInstance)
            .flatMap(
                unit ->
                    unit.tensors().stream()
                        .flatMap(tensor -> family.place(tensor.name()).experts().stream())
                        .distinct())
            .collect(Collectors.groupingBy(experts -> experts, Collectors.counting()));
    assertThat(units.values()).allMatch(count -> count == 2);
  }

  private static Plan plan(FamilyShapes shapes) {
    List<TensorInfo> tensors = List.copyOf(shapes.headers().values());
    return Planner.plan(
        shapes.name(), ModelConfig.of(shapes.configObject()), tensors, Map.of(), Headers.recipe());
  }
}

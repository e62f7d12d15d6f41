package io.cafeq.engine.family;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

class FamilyShapesTest {
  @ParameterizedTest
  @FieldSource("io.cafeq.engine.family.FamilyShapes#NAMES")
  void aFamilyHasAConfigurationAndTensorsOfDistinctNames(String name) {
    FamilyShapes shapes = FamilyShapes.of(name);
    assertThat(shapes.configObject().path("model_type").asText()).isNotEmpty();
    assertThat(shapes.headers()).hasSize(shapes.tensors().size()).hasSizeGreaterThan(10);
  }
}

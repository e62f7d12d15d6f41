package io.cafeq.engine.text;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class NamePatternTest {
  @Test
  void aNameMatchesItselfAlone() {
    String name = "model.layers.0.it's.weight";
    assertThat(name).matches(NamePattern.of(name));
    assertThat("model.layers.1.it's.weight").doesNotMatch(NamePattern.of(name));
    assertThat(NamePattern.of(name)).doesNotContain("'");
  }

  @Test
  void aKindIsTheSameInEachLayerAndNoOther() {
    String pattern =
        NamePattern.ofKinds(
            List.of("layers.0.up.qweight", "layers.12.up.qweight", "layers.0.down.qweight"));
    assertThat("layers.7.up.qweight").matches(pattern);
    assertThat("layers.12.down.qweight").matches(pattern);
    assertThat("layers.7.up.weight").doesNotMatch(pattern);
    assertThat(pattern.split("\\|")).hasSize(2);
  }
}

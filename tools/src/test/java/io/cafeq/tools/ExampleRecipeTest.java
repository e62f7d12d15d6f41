package io.cafeq.tools;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.config.Settings;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** The recipe that comes with the distribution. */
class ExampleRecipeTest {

  @Test
  void itIsSound() {
    Settings settings =
        Settings.load(
            Optional.of(Repository.distributionSources().resolve("conf/example-recipe.conf")),
            Map.of());

    assertThat(settings.recipe().grid().bits()).hasValue(3);
    assertThat(settings.recipe().tensors().overrides()).hasSize(1);
    assertThat("model.layers.0.mlp.up_proj.weight")
        .matches(settings.recipe().tensors().exclude().getFirst());
    assertThat("model.layers.7.mlp.down_proj.weight")
        .matches(settings.recipe().tensors().overrides().getFirst().pattern());
  }
}

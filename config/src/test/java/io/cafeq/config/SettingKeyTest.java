package io.cafeq.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class SettingKeyTest {

  @Test
  void everyKeyIsThereInTheOrderOfTheFileWithASummary() {
    List<SettingKey> keys = SettingKey.all();

    assertThat(keys.stream().map(SettingKey::key))
        .containsExactlyInAnyOrderElementsOf(
            Settings.load(Optional.empty(), Map.of()).entries().keySet());
    assertThat(keys.getFirst().key()).isEqualTo("recipe.method");
    assertThat(keys)
        .allSatisfy(
            key -> assertThat(key.summary()).matches("[A-Z][^\n]*\\.").hasSizeLessThan(120));
  }

  @Test
  void optionsAreNamedAfterTheirKeysAndUnique() {
    assertThat(SettingKey.all().stream().map(SettingKey::option))
        .doesNotHaveDuplicates()
        .contains("bits", "scale-bits", "transform-bits", "transform-storage", "steps", "pairs")
        .contains("pair-steps", "pair-loss", "statistics", "statistics-tokens", "max-memory");
    assertThat(SettingKey.option("recipe.pairs.enabled")).isEqualTo("pairs");
    assertThat(SettingKey.option("recipe.pairs.steps")).isEqualTo("pair-steps");
  }

  @Test
  void kindsFollowTheDefaults() {
    assertThat(key("bits"))
        .extracting(SettingKey::kind, SettingKey::defaultText)
        .containsExactly(SettingKey.Kind.VALUE, "\"auto\"");
    assertThat(key("clip").kind()).isEqualTo(SettingKey.Kind.SWITCH);
    assertThat(key("exclude").kind()).isEqualTo(SettingKey.Kind.PATTERNS);
    assertThat(key("overrides").kind()).isEqualTo(SettingKey.Kind.OBJECTS);
  }

  private static SettingKey key(String name) {
    return SettingKey.all().stream()
        .filter(key -> key.option().equals(name))
        .findFirst()
        .orElseThrow();
  }
}

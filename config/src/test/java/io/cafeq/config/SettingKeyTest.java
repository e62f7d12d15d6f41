package io.cafeq.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class SettingKeyTest {

  @Test
  void everyKeyIsThereInTheOrderOfTheFileWithAComment() {
    List<SettingKey> keys = SettingKey.all();

    assertThat(keys.stream().map(SettingKey::key))
        .containsExactlyInAnyOrderElementsOf(
            Settings.load(Optional.empty(), Map.of()).entries().keySet());
    assertThat(keys.getFirst().key()).isEqualTo("recipe.method");
    assertThat(keys)
        .allSatisfy(key -> assertThat(key.comment()).endsWith(".").doesNotContain("\n"));
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
        .filter(key -> key.name().equals(name))
        .findFirst()
        .orElseThrow();
  }
}

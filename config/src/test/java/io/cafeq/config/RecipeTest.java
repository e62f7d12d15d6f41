package io.cafeq.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RecipeTest {
  static final Recipe EXPLICIT = new Recipe(
      Method.HADAMARD, 3, 0, Optional.of(ScaleStorage.F16_MINIMUM), 6, OptionalInt.of(1024), Optional.of(Side.OUTPUT),
      0.5, TransformStorage.BF16, 7, false, Rounding.NEAREST, false, -9_000_000_000L, OptionalInt.of(8),
      Optional.of(false),
      List.of("a\\.b", "c"), List.of("[qk]_proj"),
      List.of(
          new TensorOverride(".*\"down\".*é", OptionalInt.of(8), OptionalInt.of(32), OptionalInt.of(16),
              Optional.of(Side.INPUT), Optional.of(Method.CAFEQ), Optional.of(ScaleStorage.OFFSET)),
          new TensorOverride("rest", OptionalInt.empty(), OptionalInt.empty(), OptionalInt.empty(), Optional.empty(),
              Optional.empty(), Optional.empty())));

  static final String EXPLICIT_FILE = """
      method = hadamard
      bits = 3
      group = channel
      scales = f16-minimum
      scale-bits = 6
      block = 1024
      side = output
      transform-bits = 0.5
      transform-storage = bf16
      steps = 7
      clip = false
      rounding = nearest
      fall-back = off
      seed = -9000000000
      embeddings = 8
      baselines = off
      include = [c, "a\\\\.b", c]
      exclude = "[qk]_proj"
      overrides = [
        {
          pattern = ".*\\"down\\".*é", bits = 8, group = 32, block = 16, side = input, method = cafeq
          scales = offset
        }
        { pattern = rest }
      ]
      """;

  @Test
  void defaults() {
    assertThat(Recipe.defaults()).isEqualTo(new Recipe(
        Method.CAFEQ, 4, 128, Optional.empty(), 8, OptionalInt.empty(), Optional.empty(), 0.25, TransformStorage.INT8,
        100, true, Rounding.NEAREST_PLANE, true, 0, OptionalInt.empty(), Optional.empty(), List.of(),
        List.of(), List.of()));
  }

  @Test
  void explicitMappings(@TempDir Path folder) throws Exception {
    Path file = Files.writeString(folder.resolve("recipe.conf"), EXPLICIT_FILE);
    assertThat(Settings.load(Optional.of(file), Map.of()).recipe()).isEqualTo(EXPLICIT);
  }

  @Test
  void explicitMappingsFromOptions() {
    Recipe recipe = Recipe.of(Map.ofEntries(
        Map.entry("method", "hadamard"), Map.entry("bits", "3"), Map.entry("group", "0"),
        Map.entry("scales", "f16-minimum"), Map.entry("scale-bits", "6"), Map.entry("block", "1024"),
        Map.entry("side", "output"), Map.entry("transform-bits", "0.5"), Map.entry("transform-storage", "bf16"),
        Map.entry("steps", "7"), Map.entry("clip", "false"), Map.entry("rounding", "nearest"),
        Map.entry("fall-back", "false"), Map.entry("seed", "-9000000000"), Map.entry("embeddings", "8"),
        Map.entry("baselines", "off"),
        Map.entry("include", "a\\.b\nc"), Map.entry("exclude", "[qk]_proj"),
        Map.entry("overrides", """
            [{pattern = ".*\\"down\\".*é", bits = 8, group = 32, block = 16, side = input,
              method = cafeq, scales = offset},
             {pattern = rest}]""")));
    assertThat(recipe).isEqualTo(EXPLICIT);
  }

  @Test
  void canonicalFormIsStable() {
    assertThat(Recipe.defaults().canonical()).isEqualTo("{\"baselines\":\"auto\",\"bits\":4,\"block\":\"auto\",\"clip\":true,"
        + "\"embeddings\":\"none\",\"exclude\":[],\"fall-back\":true,\"group\":128,\"include\":[],\"method\":\"cafeq\","
        + "\"overrides\":[],\"rounding\":\"nearest-plane\",\"scale-bits\":8,\"scales\":\"auto\",\"seed\":0,"
        + "\"side\":\"auto\",\"steps\":100,\"transform-bits\":0.25,\"transform-storage\":\"int8\"}");
    assertThat(Recipe.defaults().hash())
        .isEqualTo("d23432a924bbb7d865878ba6ac7a3ade3e210d1f6557a4624b37dc39079a45f7");
  }

  @Test
  void baselinesAreMeasuredWhereATransformHasToShowItsGain() {
    assertThat(Recipe.defaults().measuresBaselines()).isTrue();
    assertThat(Recipe.of(Map.of("method", "hadamard")).measuresBaselines()).isTrue();
    assertThat(Recipe.of(Map.of("method", "rtn")).measuresBaselines()).isFalse();
    assertThat(Recipe.of(Map.of("method", "none")).measuresBaselines()).isFalse();
    assertThat(Recipe.of(Map.of("method", "rtn", "baselines", "on")).measuresBaselines()).isTrue();
  }

  @Test
  void canonicalFormReadsBack() {
    assertThat(Recipe.parse(EXPLICIT.canonical())).isEqualTo(EXPLICIT);
    assertThat(Recipe.parse(EXPLICIT.canonical()).hash()).isEqualTo(EXPLICIT.hash());
    assertThat(Recipe.parse(Recipe.defaults().canonical())).isEqualTo(Recipe.defaults());
  }

  @Test
  void hashTellsRecipesApartAndNotTheWayTheyWereWritten() {
    assertThat(Recipe.of(Map.of("group", "channel")).hash()).isEqualTo(Recipe.of(Map.of("group", "0")).hash());
    assertThat(Recipe.of(Map.of("include", "b\na\nb")).hash()).isEqualTo(Recipe.of(Map.of("include", "a\nb")).hash());
    assertThat(Recipe.of(Map.of("transform-bits", "-0.0")).hash())
        .isEqualTo(Recipe.of(Map.of("transform-bits", "0")).hash());
    assertThat(Recipe.of(Map.of("seed", "1")).hash()).isNotEqualTo(Recipe.defaults().hash());
  }

  @Test
  void textThatIsNoRecipeIsRefused() {
    assertThatThrownBy(() -> Recipe.parse("{\"baselines\":\"auto\",\"bits\":4,")).isInstanceOf(ConfigException.class);
    assertThatThrownBy(() -> Recipe.parse("{\"bitz\":4}")).isInstanceOf(ConfigException.class);
    assertThatThrownBy(() -> Recipe.parse("{\"lanes\":4}")).isInstanceOf(ConfigException.class);
  }
}

package io.cafeq.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RecipeTest {
  static final Recipe EXPLICIT =
      new Recipe(
          Method.HADAMARD,
          Target.MLX,
          OptionalDouble.of(4.25),
          new GridSettings(
              OptionalInt.of(3),
              OptionalInt.of(0),
              Optional.of(ScaleStorage.F16_MINIMUM),
              6,
              false,
              false),
          new TransformSettings(
              OptionalInt.of(1024),
              Optional.of(Side.OUTPUT),
              0.5,
              Optional.of(TransformStorage.BF16),
              Loss.HARD,
              7),
          Rounding.NEAREST,
          new PairSettings(
              false,
              PairLoss.WEIGHTED_SUM_OF_SQUARES,
              2.5,
              PairOptimizer.CAYLEY,
              0.01,
              1500,
              OptionalDouble.of(0.003),
              PairRounding.ALGORITHM_1,
              5,
              true),
          new StatisticsSettings(
              new StatisticsSource.TextFile("some/ text.txt"),
              512,
              128,
              1024,
              OptionalDouble.of(0.25),
              0.05),
          false,
          Optional.of(false),
          -9_000_000_000L,
          new TensorSelection(
              OptionalInt.of(8),
              List.of("a\\.b", "c"),
              List.of("[qk]_proj"),
              List.of(
                  new TensorOverride(
                      ".*\"down\".*é",
                      OptionalInt.of(8),
                      OptionalInt.of(32),
                      OptionalInt.of(16),
                      Optional.of(Side.INPUT),
                      Optional.of(Method.CAFEQ),
                      Optional.of(ScaleStorage.OFFSET)),
                  new TensorOverride(
                      "rest",
                      OptionalInt.empty(),
                      OptionalInt.empty(),
                      OptionalInt.empty(),
                      Optional.empty(),
                      Optional.empty(),
                      Optional.empty()))));

  static final String EXPLICIT_FILE =
      """
      method = hadamard
      target = mlx
      target-bpw = 4.25
      rounding = nearest
      fall-back = off
      baselines = off
      seed = -9000000000
      grid { bits = 3, group = channel, scales = f16-minimum, scale-bits = 6, clip = false
             column-scales = off }
      transform {
        block = 1024
        side = output
        bits = 0.5
        storage = bf16
        loss = hard
        steps = 7
      }
      pairs {
        enabled = off
        loss = weighted-sum-of-squares
        temperature = 2.5
        optimizer = cayley
        orthogonality = 0.01
        steps = 1500
        rate = 0.003
        rounding = algorithm-1
        iterations = 5
        reverse = on
      }
      statistics.source = "file:some/ text.txt"
      statistics { tokens = 512, window = 128, width = 1024, shrinkage = 0.25, damping = 0.05 }
      tensors {
        embeddings = 8
        include = [c, "a\\\\.b", c]
        exclude = "[qk]_proj"
        overrides = [
          {
            pattern = ".*\\"down\\".*é", bits = 8, group = 32, block = 16, side = input
            method = cafeq
            scales = offset
          }
          { pattern = rest }
        ]
      }
      """;

  @Test
  void defaults() {
    assertThat(Recipe.defaults())
        .isEqualTo(
            new Recipe(
                Method.CAFEQ,
                Target.NONE,
                OptionalDouble.empty(),
                new GridSettings(
                    OptionalInt.empty(), OptionalInt.empty(), Optional.empty(), 8, true, true),
                new TransformSettings(
                    OptionalInt.empty(),
                    Optional.empty(),
                    0.25,
                    Optional.empty(),
                    Loss.P_NORM,
                    100),
                Rounding.NEAREST_PLANE,
                new PairSettings(
                    true,
                    PairLoss.EXPECTED_ERROR,
                    5,
                    PairOptimizer.ADAM,
                    0,
                    200,
                    OptionalDouble.empty(),
                    PairRounding.NEAREST_PLANE,
                    3,
                    false),
                new StatisticsSettings(
                    new StatisticsSource.Auto(), 4096, 256, 4096, OptionalDouble.empty(), 0.01),
                true,
                Optional.empty(),
                0,
                new TensorSelection(OptionalInt.empty(), List.of(), List.of(), List.of())));
  }

  @Test
  void whatIsAutoHasAUsualValue() {
    assertThat(Recipe.defaults().grid().usualBits()).isEqualTo(4);
    assertThat(Recipe.defaults().grid().usualGroup()).isEqualTo(128);
    assertThat(Recipe.defaults().transform().usualStorage()).isEqualTo(TransformStorage.INT8);
    assertThat(EXPLICIT.grid().usualBits()).isEqualTo(3);
    assertThat(EXPLICIT.grid().usualGroup()).isZero();
    assertThat(EXPLICIT.transform().usualStorage()).isEqualTo(TransformStorage.BF16);
    assertThat(
            Recipe.of(
                Map.of(
                    "bits",
                    "auto",
                    "group",
                    "auto",
                    "transform-storage",
                    "auto",
                    "target-bpw",
                    "none")))
        .isEqualTo(Recipe.defaults());
  }

  @ParameterizedTest
  @CsvSource({
    "expected-error, adam, auto, 0.0125",
    "expected-error, cayley, auto, 0.003",
    "log-sum-exp, adam, auto, 0.003",
    "expected-error, adam, 0.5, 0.5",
    "log-sum-exp, cayley, 0.01, 0.01"
  })
  void theRateOfAPairFollowsLossAndOptimizer(
      String loss, String optimizer, String rate, double expected) {
    Recipe recipe =
        Recipe.of(Map.of("pair-loss", loss, "pair-optimizer", optimizer, "pair-rate", rate));
    assertThat(recipe.pairs().resolvedRate(64)).isEqualTo(expected);
  }

  @Test
  void explicitMappings(@TempDir Path folder) throws Exception {
    Path file = Files.writeString(folder.resolve("recipe.conf"), EXPLICIT_FILE);
    assertThat(Settings.load(Optional.of(file), Map.of()).recipe()).isEqualTo(EXPLICIT);
  }

  @Test
  void explicitMappingsFromOptions() {
    Recipe recipe =
        Recipe.of(
            Map.ofEntries(
                Map.entry("method", "hadamard"),
                Map.entry("bits", "3"),
                Map.entry("group", "0"),
                Map.entry("scales", "f16-minimum"),
                Map.entry("scale-bits", "6"),
                Map.entry("block", "1024"),
                Map.entry("side", "output"),
                Map.entry("transform-bits", "0.5"),
                Map.entry("transform-storage", "bf16"),
                Map.entry("target-bpw", "4.25"),
                Map.entry("loss", "hard"),
                Map.entry("pairs", "false"),
                Map.entry("pair-loss", "weighted-sum-of-squares"),
                Map.entry("pair-temperature", "2.5"),
                Map.entry("pair-optimizer", "cayley"),
                Map.entry("pair-orthogonality", "0.01"),
                Map.entry("pair-steps", "1500"),
                Map.entry("pair-rate", "3e-3"),
                Map.entry("pair-rounding", "algorithm-1"),
                Map.entry("pair-iterations", "5"),
                Map.entry("pair-reverse", "true"),
                Map.entry("target", "mlx"),
                Map.entry("statistics", "file:some/ text.txt"),
                Map.entry("statistics-tokens", "512"),
                Map.entry("statistics-window", "128"),
                Map.entry("statistics-width", "1024"),
                Map.entry("statistics-shrinkage", "0.25"),
                Map.entry("statistics-damping", "5e-2"),
                Map.entry("steps", "7"),
                Map.entry("clip", "false"),
                Map.entry("column-scales", "false"),
                Map.entry("rounding", "nearest"),
                Map.entry("fall-back", "false"),
                Map.entry("seed", "-9000000000"),
                Map.entry("embeddings", "8"),
                Map.entry("baselines", "off"),
                Map.entry("include", "a\\.b\nc"),
                Map.entry("exclude", "[qk]_proj"),
                Map.entry(
                    "overrides",
                    """
                    [{pattern = ".*\\"down\\".*é", bits = 8, group = 32, block = 16, side = input,
                      method = cafeq, scales = offset},
                     {pattern = rest}]\
                    """)));
    assertThat(recipe).isEqualTo(EXPLICIT);
  }

  @Test
  void canonicalFormIsStable() {
    assertThat(Recipe.defaults().canonical())
        .isEqualTo(
            "{\"baselines\":\"auto\",\"fall-back\":true,\"grid\":{\"bits\":\"auto\",\"clip\":true,\"column-scales\":true,\"group\":\"auto\",\"scale-bits\":8,\"scales\":\"auto\"},"
                + "\"method\":\"cafeq\",\"pairs\":{\"enabled\":true,\"iterations\":3,\"loss\":\"expected-error\",\"optimizer\":\"adam\",\"orthogonality\":0.0,\"rate\":\"auto\",\"reverse\":false,\"rounding\":\"nearest-plane\",\"steps\":200,\"temperature\":5.0},"
                + "\"rounding\":\"nearest-plane\",\"seed\":0,\"statistics\":{\"damping\":0.01,\"shrinkage\":\"auto\",\"source\":\"auto\",\"tokens\":4096,\"width\":4096,\"window\":256},"
                + "\"target\":\"none\",\"target-bpw\":\"none\",\"tensors\":{\"embeddings\":\"none\",\"exclude\":[],\"include\":[],\"overrides\":[]},"
                + "\"transform\":{\"bits\":0.25,\"block\":\"auto\",\"loss\":\"p-norm\",\"side\":\"auto\",\"steps\":100,\"storage\":\"auto\"}}");
    assertThat(Recipe.defaults().hash())
        .isEqualTo("d51b3b489ae50be3bd4cde1710914115be71767da90eeeedc79dd874ab979aa0");
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
    assertThat(Recipe.parse(EXPLICIT.canonical()).canonical()).isEqualTo(EXPLICIT.canonical());
    assertThat(Recipe.parse(EXPLICIT.canonical()).hash()).isEqualTo(EXPLICIT.hash());
    assertThat(Recipe.parse(Recipe.defaults().canonical())).isEqualTo(Recipe.defaults());
  }

  @Test
  void hashTellsRecipesApartAndNotTheWayTheyWereWritten() {
    assertThat(Recipe.of(Map.of("group", "channel")).hash())
        .isEqualTo(Recipe.of(Map.of("group", "0")).hash());
    assertThat(Recipe.of(Map.of("include", "b\na\nb")).hash())
        .isEqualTo(Recipe.of(Map.of("include", "a\nb")).hash());
    assertThat(Recipe.of(Map.of("transform-bits", "-0.0")).hash())
        .isEqualTo(Recipe.of(Map.of("transform-bits", "0")).hash());
    assertThat(Recipe.of(Map.of("seed", "1")).hash()).isNotEqualTo(Recipe.defaults().hash());
  }

  @Test
  void whereATextForStatisticsLiesIsNoPartOfARecipe() {
    Map<String, String> there = Map.of("recipe.statistics.source", "file:/home/me/ text.txt");
    Recipe recipe = Settings.load(Optional.empty(), there).recipe();

    assertThat(recipe.canonical()).contains("\"source\":\"file: text.txt\"").doesNotContain("home");
    assertThat(recipe.hash()).isEqualTo(Recipe.of(Map.of("statistics", "file: text.txt")).hash());
    assertThat(recipe.hash())
        .isNotEqualTo(Recipe.of(Map.of("statistics", "file:/home/me/other.txt")).hash());
    assertThat(recipe.statistics().source())
        .isEqualTo(new StatisticsSource.TextFile("/home/me/ text.txt"));
    assertThat(Settings.load(Optional.empty(), there).entries())
        .containsEntry("recipe.statistics.source", "\"file:/home/me/ text.txt\"");
    assertThat(Settings.load(Optional.empty(), there).render()).contains("file:/home/me/ text.txt");
  }

  @Test
  void textThatIsNoRecipeIsRefused() {
    assertThatThrownBy(() -> Recipe.parse("{\"baselines\":\"auto\",\"bits\":4,"))
        .isInstanceOf(ConfigException.class);
    assertThatThrownBy(() -> Recipe.parse("{\"bitz\":4}")).isInstanceOf(ConfigException.class);
    assertThatThrownBy(() -> Recipe.parse("{\"lanes\":4}")).isInstanceOf(ConfigException.class);
  }
}

package io.cafeq.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SettingsTest {
  @TempDir Path folder;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "bits = 3, lanes = 2",
        "recipe.bits = 3, run.lanes = 2",
        "recipe { bits = 3 }, run { lanes = 2 }",
        "cafeq { recipe { bits = 3 }, run { lanes = 2 } }",
        "cafeq { bits = 3 }, lanes = 2",
        "{\"bits\": 3, \"run\": {\"lanes\": 2}}",
        "lanes = 2, bits = 1, bits = ${lanes}, bits = 3"
      })
  void keysMayStandInSeveralPlaces(String text) throws IOException {
    Settings settings = Settings.load(Optional.of(file(text)), Map.of());
    assertThat(settings.recipe().bits()).hasValue(3);
    assertThat(settings.run().lanes()).hasValue(2);
    assertThat(settings.recipe().group()).isEmpty();
  }

  @Test
  void theCommandLineIsOverTheFileAndTheFileOverTheDefaults() throws IOException {
    Path file = file("bits = 3\ngroup = 64\n");
    Settings settings = Settings.load(Optional.of(file), Map.of("recipe.bits", "5"));
    assertThat(settings.recipe().bits()).hasValue(5);
    assertThat(settings.recipe().group()).hasValue(64);
    assertThat(settings.recipe().steps()).isEqualTo(100);
    assertThat(settings.origins())
        .containsEntry("recipe.bits", "command line")
        .containsEntry("recipe.group", file + ":2")
        .containsEntry("recipe.steps", "default");
  }

  @Test
  void allProblemsAreReportedTogether() throws IOException {
    List<Problem> problems =
        problems(
            """
            bits = 9
            group = many
            block = 48
            clip = 1
            seed = 1.5
            include = ["(", "ok", [nested]]
            method = { name = cafeq }
            steps = null
            overrides = [
              { pattern = "a", bitz = 3 },
              { bits = 4 },
              7,
              { pattern = "b", bits = 1, side = left, block = 512, method = rtn }
            ]
            colour = red
            run { lanez = 2 }
            """,
            Map.of(
                "recipe.side", "inptu", "recipe.grop", "3", "run.max-memory", "1m", "lanes", "1"));
    assertThat(problems)
        .extracting(Problem::key)
        .containsExactlyInAnyOrder(
            "recipe.bits",
            "recipe.group",
            "recipe.block",
            "recipe.clip",
            "recipe.seed",
            "recipe.include",
            "recipe.include",
            "recipe.method",
            "recipe.steps",
            "recipe.overrides[0].bitz",
            "recipe.overrides[1].pattern",
            "recipe.overrides[2]",
            "recipe.overrides[3].bits",
            "recipe.overrides[3].side",
            "recipe.overrides[3].block",
            "colour",
            "lanez",
            "recipe.side",
            "recipe.grop",
            "run.max-memory",
            "lanes");
    assertThat(problems)
        .allSatisfy(
            problem -> {
              assertThat(problem.expected()).isNotBlank();
              assertThat(problem.found()).isNotBlank();
              assertThat(problem.remedy()).isNotBlank();
            });
  }

  @Test
  void pairsAndTargetsHaveTheirRanges() throws IOException {
    List<Problem> problems =
        problems(
            """
            target-bpw = 1.5
            loss = soft
            transform-storage = int4
            pairs = auto
            pair-loss = expected
            pair-temperature = 0
            pair-optimizer = sgd
            pair-orthogonality = -1
            pair-steps = 0
            pair-rate = none
            pair-rounding = hadamard
            pair-iterations = 21
            pair-reverse = 2
            """,
            Map.of());
    assertThat(problems)
        .extracting(Problem::key)
        .containsExactlyInAnyOrder(
            "recipe.target-bpw",
            "recipe.loss",
            "recipe.transform-storage",
            "recipe.pairs",
            "recipe.pair-loss",
            "recipe.pair-temperature",
            "recipe.pair-optimizer",
            "recipe.pair-orthogonality",
            "recipe.pair-steps",
            "recipe.pair-rate",
            "recipe.pair-rounding",
            "recipe.pair-iterations",
            "recipe.pair-reverse");
    assertThat(problems)
        .filteredOn(problem -> problem.key().equals("recipe.target-bpw"))
        .singleElement()
        .satisfies(
            problem -> assertThat(problem.expected()).isEqualTo("none or a number from 2 to 16"));
  }

  @Test
  void problemsSayWhereAndWhat() throws IOException {
    Path file = file("\nbits = 9\noverrides = [\n  { pattern = a,\n    bits = four }\n]\n");
    ConfigException thrown =
        catchThrowableOfType(
            ConfigException.class,
            () -> Settings.load(Optional.of(file), Map.of("recipe.steps", "0")));
    assertThat(thrown.problems())
        .extracting(Problem::key, Problem::origin, Problem::found)
        .containsExactlyInAnyOrder(
            org.assertj.core.groups.Tuple.tuple("recipe.bits", file + ":2", "9"),
            org.assertj.core.groups.Tuple.tuple("recipe.overrides[0].bits", file + ":5", "'four'"),
            org.assertj.core.groups.Tuple.tuple("recipe.steps", "command line", "0"));
    assertThat(thrown)
        .hasMessageContaining("3 problems")
        .hasMessageContaining(
            "recipe.bits (" + file + ":2): expected auto or a whole number from 2 to 8, found 9");
  }

  @ParameterizedTest
  @CsvSource({
    "bitz, bits",
    "max_memory, max-memory",
    "maxMemory, max-memory",
    "embedings, embeddings",
    "recipes, recipe",
    "fallback, fall-back",
    "transform-bit, transform-bits"
  })
  void typosInFilesAreSuggestedFor(String typo, String meant) throws IOException {
    assertThat(problems(typo + " = 4", Map.of()))
        .singleElement()
        .satisfies(problem -> assertThat(problem.remedy()).isEqualTo("Did you mean " + meant + "?"))
        .satisfies(problem -> assertThat(problem.origin()).endsWith(":1"));
  }

  @ParameterizedTest
  @CsvSource({"recipe.bitz, recipe.bits", "recipe.lanes, run.lanes", "bits, recipe.bits"})
  void typosInOptionsAreSuggestedFor(String typo, String meant) {
    ConfigException thrown =
        catchThrowableOfType(
            ConfigException.class, () -> Settings.load(Optional.empty(), Map.of(typo, "4")));
    assertThat(thrown.problems())
        .singleElement()
        .satisfies(
            problem -> assertThat(problem.remedy()).isEqualTo("Did you mean " + meant + "?"));
  }

  @Test
  void aKeyFarFromAllOthersListsThem() throws IOException {
    assertThat(problems("zzzzzzzzzzzz = 4", Map.of()))
        .singleElement()
        .satisfies(
            problem ->
                assertThat(problem.remedy()).startsWith("The keys are backend, baselines, bits,"));
  }

  @Test
  void oneKeyInTwoPlacesIsAProblem() throws IOException {
    assertThat(problems("bits = 3\nrecipe.bits = 4", Map.of()))
        .singleElement()
        .satisfies(problem -> assertThat(problem.found()).contains("second value"));
  }

  @Test
  void largeBlocksNeedHadamard() throws IOException {
    assertThat(problems("block = 512", Map.of()))
        .singleElement()
        .extracting(Problem::key)
        .isEqualTo("recipe.block");
    assertThat(Recipe.of(Map.of("block", "512", "method", "hadamard")).block()).hasValue(512);
  }

  @Test
  void filesThatAreMissingOrNoHoconAreProblems() throws IOException {
    ConfigException missing =
        catchThrowableOfType(
            ConfigException.class,
            () -> Settings.load(Optional.of(folder.resolve("absent.conf")), Map.of()));
    assertThat(missing).hasMessageContaining("absent.conf");
    assertThat(problems("bits = = {", Map.of())).hasSize(1);
    assertThat(problems("bits = ${undefined}", Map.of()))
        .singleElement()
        .satisfies(problem -> assertThat(problem.found()).contains("undefined"));
  }

  @Test
  void includeIsAKeyAndAStatement() throws IOException {
    Files.writeString(folder.resolve("base.conf"), "bits = 5");
    Settings bare = Settings.load(Optional.of(file("{ include = [a]\n, bits = 3 }")), Map.of());
    assertThat(bare.recipe().include()).containsExactly("a");
    assertThat(bare.origins().get("recipe.bits")).endsWith("recipe.conf:2");
    Settings statement =
        Settings.load(Optional.of(file("include \"base.conf\"\n\"include\" = [b]")), Map.of());
    assertThat(statement.recipe().include()).containsExactly("b");
    assertThat(statement.recipe().bits()).hasValue(5);
    assertThat(statement.origins().get("recipe.bits")).endsWith("base.conf:1");
  }

  @Test
  void theEnvironmentIsNotRead() throws IOException {
    assertThat(problems("backend = ${PATH}", Map.of())).hasSize(1);
  }

  @Test
  void renderedSettingsReadBackAndSayTheirOrigin() throws IOException {
    Settings settings =
        Settings.load(
            Optional.of(file(RecipeTest.EXPLICIT_FILE)),
            Map.of("run.max-memory", "1g", "run.progress", "off"));
    String text = settings.render();
    Settings again = Settings.load(Optional.of(file(text)), Map.of());
    assertThat(again.recipe()).isEqualTo(settings.recipe()).isEqualTo(RecipeTest.EXPLICIT);
    assertThat(again.run()).isEqualTo(settings.run());
    assertThat(text)
        .containsPattern("bits = 3 +# .*recipe.conf:2\n")
        .containsPattern("max-memory = 1073741824 +# command line\n")
        .containsPattern("lanes = auto +# default\n");
  }

  @Test
  void everyKeyOfTheReferenceHasAComment() throws IOException {
    List<String> lines;
    try (var stream = Settings.class.getResourceAsStream("/reference.conf")) {
      String text = new String(stream.readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
      lines = text.lines().map(String::strip).toList();
    }
    for (int i = 0; i < lines.size(); i++) {
      if (lines.get(i).contains(" = ") && !lines.get(i).startsWith("#")) {
        assertThat(lines.get(i - 1)).as(lines.get(i)).startsWith("#");
      }
    }
  }

  private List<Problem> problems(String text, Map<String, String> options) throws IOException {
    Path file = file(text);
    return catchThrowableOfType(
            ConfigException.class, () -> Settings.load(Optional.of(file), options))
        .problems();
  }

  private Path file(String text) throws IOException {
    return Files.writeString(folder.resolve("recipe.conf"), text);
  }
}

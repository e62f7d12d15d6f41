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
        "grid.bits = 3, lanes = 2",
        "grid { bits = 3 }, lanes = 2",
        "recipe.grid.bits = 3, run.lanes = 2",
        "recipe { grid { bits = 3 } }, run { lanes = 2 }",
        "cafeq { recipe { grid.bits = 3 }, run { lanes = 2 } }",
        "cafeq { grid.bits = 3 }, lanes = 2",
        "{\"grid\": {\"bits\": 3}, \"run\": {\"lanes\": 2}}",
        "lanes = 2, grid.bits = 1, grid.bits = ${lanes}, grid.bits = 3"
      })
  void keysMayStandInSeveralPlaces(String text) throws IOException {
    Settings settings = Settings.load(Optional.of(file(text)), Map.of());
    assertThat(settings.recipe().grid().bits()).hasValue(3);
    assertThat(settings.run().lanes()).hasValue(2);
    assertThat(settings.recipe().grid().group()).isEmpty();
  }

  @Test
  void theCommandLineIsOverTheFileAndTheFileOverTheDefaults() throws IOException {
    Path file = file("grid.bits = 3\ngrid.group = 64\n");
    Settings settings = Settings.load(Optional.of(file), Map.of("recipe.grid.bits", "5"));
    assertThat(settings.recipe().grid().bits()).hasValue(5);
    assertThat(settings.recipe().grid().group()).hasValue(64);
    assertThat(settings.recipe().transform().steps()).isEqualTo(100);
    assertThat(settings.origins())
        .containsEntry("recipe.grid.bits", "command line")
        .containsEntry("recipe.grid.group", file + ":2")
        .containsEntry("recipe.transform.steps", "default");
  }

  @Test
  void allProblemsAreReportedTogether() throws IOException {
    List<Problem> problems =
        problems(
            """
            grid { bits = 9, group = many, clip = 1 }
            transform { block = 48, steps = null }
            seed = 1.5
            tensors {
              include = ["(", "ok", [nested]]
              overrides = [
                { pattern = "a", bitz = 3 },
                { bits = 4 },
                7,
                { pattern = "b", bits = 1, side = left, block = 512, method = rtn }
              ]
            }
            method = { name = cafeq }
            statistics = none
            colour = red
            run { lanez = 2 }
            """,
            Map.of(
                "recipe.transform.side",
                "inptu",
                "recipe.grop",
                "3",
                "run.max-memory",
                "1m",
                "lanes",
                "1"));
    assertThat(problems)
        .extracting(Problem::key)
        .containsExactlyInAnyOrder(
            "recipe.grid.bits",
            "recipe.grid.group",
            "recipe.transform.block",
            "recipe.grid.clip",
            "recipe.seed",
            "recipe.tensors.include",
            "recipe.tensors.include",
            "recipe.method",
            "recipe.transform.steps",
            "recipe.tensors.overrides[0].bitz",
            "recipe.tensors.overrides[1].pattern",
            "recipe.tensors.overrides[2]",
            "recipe.tensors.overrides[3].bits",
            "recipe.tensors.overrides[3].side",
            "recipe.tensors.overrides[3].block",
            "statistics",
            "colour",
            "lanez",
            "recipe.transform.side",
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
            transform { loss = soft, storage = int4 }
            pairs {
              enabled = auto
              loss = expected
              temperature = 0
              optimizer = sgd
              orthogonality = -1
              steps = 0
              rate = none
              rounding = hadamard
              iterations = 21
              reverse = 2
            }
            """,
            Map.of());
    assertThat(problems)
        .extracting(Problem::key)
        .containsExactlyInAnyOrder(
            "recipe.target-bpw",
            "recipe.transform.loss",
            "recipe.transform.storage",
            "recipe.pairs.enabled",
            "recipe.pairs.loss",
            "recipe.pairs.temperature",
            "recipe.pairs.optimizer",
            "recipe.pairs.orthogonality",
            "recipe.pairs.steps",
            "recipe.pairs.rate",
            "recipe.pairs.rounding",
            "recipe.pairs.iterations",
            "recipe.pairs.reverse");
    assertThat(problems)
        .filteredOn(problem -> problem.key().equals("recipe.target-bpw"))
        .singleElement()
        .satisfies(
            problem -> assertThat(problem.expected()).isEqualTo("none or a number from 2 to 16"));
  }

  @Test
  void problemsSayWhereAndWhat() throws IOException {
    Path file =
        file("\ngrid.bits = 9\ntensors.overrides = [\n  { pattern = a,\n    bits = four }\n]\n");
    ConfigException thrown =
        catchThrowableOfType(
            ConfigException.class,
            () -> Settings.load(Optional.of(file), Map.of("recipe.transform.steps", "0")));
    assertThat(thrown.problems())
        .extracting(Problem::key, Problem::origin, Problem::found)
        .containsExactlyInAnyOrder(
            org.assertj.core.groups.Tuple.tuple("recipe.grid.bits", file + ":2", "9"),
            org.assertj.core.groups.Tuple.tuple(
                "recipe.tensors.overrides[0].bits", file + ":5", "'four'"),
            org.assertj.core.groups.Tuple.tuple("recipe.transform.steps", "command line", "0"));
    assertThat(thrown)
        .hasMessageContaining("3 problems")
        .hasMessageContaining(
            "recipe.grid.bits ("
                + file
                + ":2): expected auto or a whole number from 2 to 8, found 9");
  }

  @ParameterizedTest
  @CsvSource({
    "bitz, grid.bits",
    "max_memory, max-memory",
    "maxMemory, max-memory",
    "embedings, tensors.embeddings",
    "recipes, recipe",
    "fallback, fall-back",
    "transform-bit, transform.bits",
    "pair-step, pairs.steps",
    "recipe.statistics-token, statistics.tokens"
  })
  void typosInFilesAreSuggestedFor(String typo, String meant) throws IOException {
    assertThat(problems(typo + " = 4", Map.of()))
        .singleElement()
        .satisfies(problem -> assertThat(problem.remedy()).isEqualTo("Did you mean " + meant + "?"))
        .satisfies(problem -> assertThat(problem.origin()).endsWith(":1"));
  }

  @ParameterizedTest
  @CsvSource({
    "pair-steps = 4, pairs.steps",
    "recipe.pair-steps = 4, pairs.steps",
    "recipe { pairs { pair-steps = 4 } }, steps",
    "pairs = off, pairs.enabled",
    "statistics = none, statistics.source",
    "recipe { statistics = none }, statistics.source",
    "bits = 3, grid.bits",
    "transform-storage = int8, transform.storage",
    "'exclude = [a]', tensors.exclude",
    "recipe { lanes = 2 }, run.lanes"
  })
  void namesOfOptionsLeadToTheirKeys(String text, String key) throws IOException {
    assertThat(problems(text, Map.of()))
        .singleElement()
        .satisfies(problem -> assertThat(problem.remedy()).isEqualTo("Write " + key + " instead."));
  }

  @ParameterizedTest
  @CsvSource({
    "recipe.grid.bitz, recipe.grid.bits",
    "recipe.lanes, run.lanes",
    "bits, recipe.grid.bits"
  })
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
                assertThat(problem.remedy())
                    .startsWith(
                        "The keys are backend, baselines, cafeq, connect-timeout, fall-back,"
                            + " grid,"));
  }

  @Test
  void oneKeyInTwoPlacesIsAProblem() throws IOException {
    assertThat(problems("grid.bits = 3\nrecipe.grid.bits = 4", Map.of()))
        .singleElement()
        .satisfies(problem -> assertThat(problem.found()).contains("second value"));
  }

  @Test
  void largeBlocksNeedHadamard() throws IOException {
    assertThat(problems("transform.block = 512", Map.of()))
        .singleElement()
        .extracting(Problem::key)
        .isEqualTo("recipe.transform.block");
    assertThat(Recipe.of(Map.of("block", "512", "method", "hadamard")).transform().block())
        .hasValue(512);
  }

  @Test
  void filesThatAreMissingOrNoHoconAreProblems() throws IOException {
    ConfigException missing =
        catchThrowableOfType(
            ConfigException.class,
            () -> Settings.load(Optional.of(folder.resolve("absent.conf")), Map.of()));
    assertThat(missing).hasMessageContaining("absent.conf");
    assertThat(problems("grid.bits = = {", Map.of())).hasSize(1);
    assertThat(problems("grid.bits = ${undefined}", Map.of()))
        .singleElement()
        .satisfies(problem -> assertThat(problem.found()).contains("undefined"));
  }

  @Test
  void includeIsAKeyAndAStatement() throws IOException {
    Files.writeString(folder.resolve("base.conf"), "grid.bits = 5");
    Settings bare =
        Settings.load(
            Optional.of(file("{ tensors { include = [a] }\n, grid.bits = 3 }")), Map.of());
    assertThat(bare.recipe().tensors().include()).containsExactly("a");
    assertThat(bare.origins().get("recipe.grid.bits")).endsWith("recipe.conf:2");
    Settings statement =
        Settings.load(
            Optional.of(file("include \"base.conf\"\ntensors.\"include\" = [b]")), Map.of());
    assertThat(statement.recipe().tensors().include()).containsExactly("b");
    assertThat(statement.recipe().grid().bits()).hasValue(5);
    assertThat(statement.origins().get("recipe.grid.bits")).endsWith("base.conf:1");
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
        .containsPattern("bits = 3 +# .*recipe.conf:8\n")
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

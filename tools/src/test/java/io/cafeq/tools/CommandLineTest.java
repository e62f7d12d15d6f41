package io.cafeq.tools;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

/** Options, settings, messages and exit codes, in this process. */
class CommandLineTest {
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();

  @TempDir Path folder;

  @Test
  void everyOptionOfTheIssueReachesItsSetting() throws Exception {
    TreeMap<String, String> values =
        settings(
            "--bits",
            "3",
            "--group",
            "64",
            "--scales",
            "offset",
            "--scale-bits",
            "6",
            "--method",
            "hadamard",
            "--block",
            "32",
            "--side",
            "output",
            "--transform-bits",
            "0.5",
            "--transform-storage",
            "bf16",
            "--steps",
            "7",
            "--no-clip",
            "--target-bpw",
            "4.5",
            "--loss",
            "hard",
            "--rounding",
            "nearest",
            "--no-fall-back",
            "--seed",
            "-5",
            "--embeddings",
            "8",
            "--include",
            "a.*",
            "--include",
            "b[0,1]{2}",
            "--exclude",
            "c",
            "--max-memory",
            "1g",
            "--lanes",
            "3",
            "--backend",
            "scalar",
            "--no-verify",
            "--baselines",
            "off",
            "--progress",
            "plain",
            "--no-pairs",
            "--pair-loss",
            "log-sum-exp",
            "--pair-temperature",
            "1",
            "--pair-optimizer",
            "cayley",
            "--pair-orthogonality",
            "0.1",
            "--pair-steps",
            "9",
            "--pair-rate",
            "0.01",
            "--pair-rounding",
            "algorithm-1",
            "--pair-iterations",
            "2",
            "--pair-reverse");

    assertThat(values)
        .containsEntry("recipe.grid.bits", "3")
        .containsEntry("recipe.grid.group", "64")
        .containsEntry("recipe.grid.scales", "\"offset\"")
        .containsEntry("recipe.grid.scale-bits", "6")
        .containsEntry("recipe.method", "\"hadamard\"")
        .containsEntry("recipe.transform.block", "32")
        .containsEntry("recipe.transform.side", "\"output\"")
        .containsEntry("recipe.transform.bits", "0.5")
        .containsEntry("recipe.transform.storage", "\"bf16\"")
        .containsEntry("recipe.target-bpw", "4.5")
        .containsEntry("recipe.transform.loss", "\"hard\"")
        .containsEntry("recipe.pairs.enabled", "false")
        .containsEntry("recipe.pairs.loss", "\"log-sum-exp\"")
        .containsEntry("recipe.pairs.temperature", "1.0")
        .containsEntry("recipe.pairs.optimizer", "\"cayley\"")
        .containsEntry("recipe.pairs.orthogonality", "0.1")
        .containsEntry("recipe.pairs.steps", "9")
        .containsEntry("recipe.pairs.rate", "0.01")
        .containsEntry("recipe.pairs.rounding", "\"algorithm-1\"")
        .containsEntry("recipe.pairs.iterations", "2")
        .containsEntry("recipe.pairs.reverse", "true")
        .containsEntry("recipe.transform.steps", "7")
        .containsEntry("recipe.grid.clip", "false")
        .containsEntry("recipe.rounding", "\"nearest\"")
        .containsEntry("recipe.fall-back", "false")
        .containsEntry("recipe.seed", "-5")
        .containsEntry("recipe.tensors.embeddings", "8")
        .containsEntry("recipe.tensors.include", "[\"a.*\",\"b[0,1]{2}\"]")
        .containsEntry("recipe.tensors.exclude", "[\"c\"]")
        .containsEntry("run.max-memory", Long.toString(1L << 30))
        .containsEntry("run.lanes", "3")
        .containsEntry("run.backend", "\"scalar\"")
        .containsEntry("run.verify", "false")
        .containsEntry("recipe.baselines", "\"off\"")
        .containsEntry("run.progress", "\"plain\"");
  }

  @Test
  void withoutOptionsAllIsAsInReferenceConf() throws Exception {
    assertThat(run("config", "--json")).isZero();

    assertThat(json().get("settings"))
        .allSatisfy(setting -> assertThat(setting.get("origin").asText()).isEqualTo("default"));
  }

  @Test
  void optionsGoBeforeTheRecipeFileAndThatBeforeTheDefaults() throws Exception {
    Path recipe =
        Files.writeString(folder.resolve("recipe.conf"), "grid { bits = 3, group = 64 }\n");

    TreeMap<String, String> values = settings("--recipe", recipe.toString(), "--group", "32");

    assertThat(values)
        .containsEntry("recipe.grid.bits", "3")
        .containsEntry("recipe.grid.group", "32")
        .containsEntry("recipe.transform.steps", "100");
  }

  @Test
  void switchesThatAreOnCanBeGivenTooAndTurnedOffInFiles() throws Exception {
    Path recipe = Files.writeString(folder.resolve("recipe.conf"), "grid.clip = false\n");

    assertThat(settings("--recipe", recipe.toString())).containsEntry("recipe.grid.clip", "false");
    assertThat(settings("--recipe", recipe.toString(), "--clip"))
        .containsEntry("recipe.grid.clip", "true");
  }

  @ParameterizedTest
  @ValueSource(strings = {"--bitz 4", "--bits", "surplus", "--bits 4 --bits 3"})
  void wrongOptionsAreUsageErrorsThatSayWhereHelpIs(String arguments) {
    String[] all = ("config " + arguments).split(" ");

    assertThat(run(all)).isEqualTo(ExitCode.USAGE);
    assertThat(out.toString(StandardCharsets.UTF_8)).isEmpty();
    assertThat(messages())
        .startsWith("cafeq: ")
        .contains("\"cafeq config --help\"")
        .doesNotContain("Exception", " at io.cafeq");
  }

  @Test
  void aTypoInAnOptionIsAnsweredWithTheNearestOne() {
    assertThat(run("config", "--bitz", "4")).isEqualTo(ExitCode.USAGE);

    assertThat(messages()).contains("Did you mean --bits?");
  }

  @Test
  void wrongSettingsAreToldAllAtOnce() {
    assertThat(run("config", "--bits", "99", "--group", "x")).isEqualTo(ExitCode.USAGE);

    assertThat(messages())
        .contains("recipe.grid.bits", "recipe.grid.group")
        .doesNotContain(" at io.cafeq");
  }

  @Test
  void aTypoInARecipeIsNamedWithFileAndLine() throws Exception {
    Path recipe = Files.writeString(folder.resolve("recipe.conf"), "grid.bits = 3\ngruop = 64\n");

    assertThat(run("config", "--recipe", recipe.toString())).isEqualTo(ExitCode.USAGE);
    assertThat(messages()).contains("recipe.conf:2", "Did you mean grid.group?");
  }

  @Test
  void aMissingCommandIsAUsageError() {
    assertThat(run()).isEqualTo(ExitCode.USAGE);
    assertThat(messages()).contains("cafeq --help");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "config --bits 99 --json",
        "config --bitz --json",
        "inspect /nowhere/at/all --json",
        "plan /nowhere/at/all --json",
        "quantize /nowhere/at/all --out /nowhere/else --json"
      })
  void aFailureUnderJsonIsOneDocumentWithCodeMessageAndRemedy(String arguments) throws Exception {
    int code = run(arguments.split(" "));

    JsonNode error = json().get("error");
    assertThat(error.get("code").asInt()).isEqualTo(code).isNotZero();
    assertThat(error.get("message").asText()).isNotBlank();
    assertThat(error.get("remedy").asText()).isNotBlank();
  }

  @Test
  void aDamagedCheckpointHasItsOwnExitCode() throws Exception {
    Path model = Files.writeString(folder.resolve("model.safetensors"), "short");

    assertThat(run("inspect", model.toString())).isEqualTo(ExitCode.CHECKPOINT);
    assertThat(messages()).contains("model.safetensors");
  }

  @Test
  void stackTracesAreShownOnlyWhenAskedFor() throws Exception {
    Path model = Files.writeString(folder.resolve("model.safetensors"), "short");

    run("inspect", model.toString());
    assertThat(messages()).doesNotContain(" at io.cafeq");
    run("inspect", model.toString(), "--stacktrace");
    assertThat(messages()).contains(" at io.cafeq.");
  }

  @Test
  void helpOfEveryCommandGoesToStdoutAndFits() {
    List<String> commands = List.copyOf(commandLine().getSubcommands().keySet());
    assertThat(commands).contains("quantize", "plan", "inspect", "doctor", "config", "demo");
    for (String command : commands) {
      out.reset();
      assertThat(run(command, "--help")).isZero();
      assertThat(out.toString(StandardCharsets.UTF_8))
          .contains("Usage: cafeq " + command)
          .doesNotContain("\u001b");
      assertThat(out.toString(StandardCharsets.UTF_8).lines())
          .allSatisfy(line -> assertThat(line.length()).isLessThan(101));
    }
  }

  @Test
  void helpOfExportListsTheInstalledFormatsWithTheirOptions() {
    assertThat(run("export", "--help")).isZero();
    assertThat(out.toString(StandardCharsets.UTF_8))
        .contains("dense: an ordinary safetensors checkpoint", "toy: codes", "--option rows=1 to");
  }

  @Test
  void everyCommandTakesJson() {
    commandLine()
        .getSubcommands()
        .forEach(
            (name, command) ->
                assertThat(command.getCommandSpec().findOption("--json")).as(name).isNotNull());
  }

  private TreeMap<String, String> settings(String... options) throws Exception {
    out.reset();
    String[] arguments = Arrays.copyOf(new String[] {"config", "--json"}, options.length + 2);
    System.arraycopy(options, 0, arguments, 2, options.length);
    assertThat(run(arguments)).as(messages()).isZero();
    TreeMap<String, String> values = new TreeMap<>();
    json()
        .get("settings")
        .forEach(
            setting -> values.put(setting.get("key").asText(), setting.get("value").toString()));
    return values;
  }

  private JsonNode json() throws Exception {
    return JsonMapper.builder().build().readTree(out.toByteArray());
  }

  private String messages() {
    return err.toString(StandardCharsets.UTF_8);
  }

  private int run(String... arguments) {
    return commandLine().execute(arguments);
  }

  private CommandLine commandLine() {
    Console console =
        new Console(
            new PrintStream(out, true, StandardCharsets.UTF_8),
            new PrintStream(err, true, StandardCharsets.UTF_8),
            OptionalInt.empty());
    Interruption interruption = new Interruption();
    return Main.commandLine(console, interruption, new Failures(console, interruption));
  }
}

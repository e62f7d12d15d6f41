package io.cafeq.tools;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.cafeq.engine.checkpoint.RawSafetensors;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Names of tensors and files, values of config.json and metadata that steer terminals, turn text
 * around or forge lines: none of it gets out of any command as it is, and JSON holds it without
 * loss.
 */
class HostileTextTest {
  /**
   * Clears the screen, sets a title, overrides the direction, hides a joiner, breaks lines in all
   * ways there are.
   */
  private static final String HOSTILE =
      "\u001b[2J\u001b]0;t\u0007\u202e\u200d\ufeff\u0085\u009b31m\u2028\u2029\u007f\r\n"
          + "forged: all is well\n";

  private static final JsonMapper JSON = JsonMapper.builder().build();
  private static final String NAME = "model.layers.0.mlp." + HOSTILE + ".weight";
  private static final String LONG = "model.layers.0." + "long".repeat(5000);

  @TempDir Path folder;
  private Path model;

  @BeforeEach
  void writeModel() throws IOException {
    model =
        new HandMadeModel()
            .matrix(escaped(NAME), 32, 64, HandMadeModel.ordinary(1))
            .matrix(HandMadeModel.down(0), 32, 64, HandMadeModel.ordinary(3))
            .matrix(HandMadeModel.down(1), 32, 64, HandMadeModel.ordinary(2))
            .tensor(escaped("norm" + HOSTILE), "[64]", 64, index -> 1)
            .tensor(LONG, "[4]", 4, index -> 1)
            .config(
                "{\"model_type\":\"llama" + escaped(HOSTILE) + "\",\"" + escaped(HOSTILE) + "\":1}")
            .write(folder.resolve("model" + HOSTILE));
    Files.writeString(model.resolve("note" + HOSTILE + ".txt"), "x");
    Files.writeString(model.resolve("other" + HOSTILE + ".gguf"), "x");
  }

  @Test
  void everyCommandShowsItEscaped() throws Exception {
    String result = folder.resolve("result").toString();
    ok("plan", model.toString(), "--backend", "scalar");
    ok("plan", model.toString(), "--all", "--backend", "scalar");
    ok("inspect", model.toString());
    ok("inspect", model.toString(), "--all");
    CommandRun run = ok(quantize(result));
    assertThat(run.out()).contains("--against $'");
    ok(quantize(result));
    ok("inspect", result, "--all");
    ok("verify", result, "--against", model.toString());
    ok("export", result, "--format", "dense", "--out", folder.resolve("dense").toString());
    ok("inspect", folder.resolve("dense").toString(), "--all");
    Path text = Files.writeString(folder.resolve("text"), "hello");
    assertThat(shown("evaluate", model.toString(), "--text", text.toString()).exitCode())
        .isNotZero();
    assertThat(
            shown("evaluate", model.toString(), "--text", text.toString(), "--stacktrace")
                .exitCode())
        .isNotZero();
  }

  @Test
  void jsonHoldsItWithoutLoss() throws Exception {
    String result = folder.resolve("result").toString();
    JsonNode plan = json("plan", model.toString(), "--backend", "scalar");
    assertThat(plan.findValuesAsText("tensors")).isNotNull();
    assertThat(tensors(plan)).contains(NAME, "norm" + HOSTILE, LONG);
    assertThat(plan.get("left_out"))
        .extracting(JsonNode::textValue)
        .contains("other" + HOSTILE + ".gguf");
    JsonNode checkpoint = json("inspect", model.toString());
    assertThat(checkpoint.get("model_type").textValue()).isEqualTo("llama" + HOSTILE);
    assertThat(checkpoint.get("tensors"))
        .extracting(tensor -> tensor.get("name").textValue())
        .contains(NAME, LONG);
    json(quantize(result));
    JsonNode made = json("inspect", result);
    assertThat(made.get("tensors"))
        .extracting(tensor -> tensor.get("name").textValue())
        .contains(NAME, LONG);
    assertThat(made.get("side_files"))
        .extracting(JsonNode::textValue)
        .contains("note" + HOSTILE + ".txt");
    json("verify", result, "--against", model.toString());
    json("export", result, "--format", "dense", "--out", folder.resolve("dense").toString());
    for (String file : new String[] {"manifest.json", "report.json"}) {
      assertThatNothingGetsOut(Files.readString(Path.of(result).resolve(file)));
    }
  }

  @Test
  void failuresOfUnitsShowItEscaped() throws Exception {
    Path broken =
        new HandMadeModel()
            .matrix(escaped(NAME), 32, 64, index -> index == 5 ? Double.NaN : 1)
            .matrix(HandMadeModel.down(1), 32, 64, HandMadeModel.ordinary(2))
            .write(folder.resolve("broken"));
    model = broken;
    CommandRun run = shown(quantize(folder.resolve("partial").toString()));
    assertThat(run.exitCode()).isEqualTo(ExitCode.CHECKPOINT);
    assertThat(run.err()).contains("mlp.\\u001b[2J");
    assertThat(run.out()).contains("mlp.\\u001b[2J");
  }

  @Test
  void aDamagedResultShowsItEscaped() throws Exception {
    Path result = folder.resolve("result");
    ok(quantize(result.toString()));
    try (Stream<Path> units = Files.list(result.resolve("units"))) {
      for (Path unit : units.toList()) {
        try (RandomAccessFile file = new RandomAccessFile(unit.toFile(), "rw")) {
          file.seek(file.length() / 2);
          file.write(new byte[64]);
        }
      }
    }
    Files.writeString(result.resolve("note" + HOSTILE + ".txt"), "changed");
    CommandRun run = shown("verify", result.toString(), "--against", model.toString());
    assertThat(run.exitCode()).isEqualTo(ExitCode.FAILURE);
    assertThat(run.out()).contains("note\\u001b[2J", "not sound");
    String dense = folder.resolve("d").toString();
    assertThat(shown("export", result.toString(), "--format", "dense", "--out", dense).exitCode())
        .isEqualTo(ExitCode.FAILURE);
    Files.writeString(
        result.resolve("manifest.json"),
        "{\"" + escaped(HOSTILE) + "\": \"" + escaped(HOSTILE) + "\"}");
    assertThat(shown("verify", result.toString()).exitCode()).isEqualTo(ExitCode.FAILURE);
    assertThat(shown("inspect", result.toString()).exitCode()).isEqualTo(ExitCode.FAILURE);
  }

  /** Headers, indexes and config.json that are refused: each message names what stands there. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "header",
        "dtype",
        "metadata",
        "duplicate",
        "index",
        "index file",
        "config",
        "block size"
      })
  void refusalsShowItEscaped(String what) throws Exception {
    String hostile = escaped(HOSTILE);
    Path bad = Files.createDirectory(folder.resolve("bad" + HOSTILE));
    String entry = RawSafetensors.entry("w" + hostile, "F32", "[1]", 0, 4);
    String config = "{}";
    String header = "{" + entry + "}";
    switch (what) {
      case "header" -> header = "{\"w" + hostile + "\": 5}";
      case "dtype" ->
          header = "{" + RawSafetensors.entry("w" + hostile, hostile, "[1]", 0, 4) + "}";
      case "metadata" -> header = "{\"__metadata__\":{\"" + hostile + "\":[]}," + entry + "}";
      case "duplicate" -> header = "{" + entry + "," + entry + "}";
      case "config" -> config = "{\"a\": " + HOSTILE + "}";
      case "block size" ->
          config = "{\"quantization_config\":{\"weight_block_size\":\"" + hostile + "\"}}";
      default -> {}
    }
    Files.writeString(bad.resolve("config.json"), config);
    String file =
        what.startsWith("index") ? "shard" + HOSTILE + ".safetensors" : "model.safetensors";
    RawSafetensors.write(bad, file, header, new byte[4]);
    if (what.startsWith("index")) {
      String named = what.equals("index") ? "shard" + hostile + ".safetensors" : "../" + hostile;
      Files.writeString(
          bad.resolve("model.safetensors.index.json"),
          "{\"weight_map\":{\"x" + hostile + "\":\"" + named + "\"}}");
    }
    for (String command : new String[] {"plan", "inspect"}) {
      CommandRun run = shown(command, bad.toString());
      assertThat(run.exitCode()).as(run.toString()).isEqualTo(ExitCode.CHECKPOINT);
      assertThat(run.err()).containsIgnoringCase("\\u001b[2J");
      assertThat(run.err().lines()).hasSize(2);
      assertThatNothingGetsOut(CommandRun.of(command, bad.toString(), "--json").toString());
      assertThatNothingGetsOut(CommandRun.of(command, bad.toString(), "--stacktrace").toString());
    }
  }

  @Test
  void settingsShowItEscaped() throws Exception {
    Path recipe =
        Files.writeString(
            folder.resolve("recipe.conf"),
            "cafeq.recipe.grid { bits = \""
                + escaped(HOSTILE)
                + "\"\n group = \""
                + escaped(HOSTILE)
                + "\" }");
    CommandRun run = shown("config", "--recipe", recipe.toString());
    assertThat(run.exitCode()).isEqualTo(ExitCode.USAGE);
    assertThat(run.err()).contains("2 problems").contains("\\u001b[2J");
    assertThat(run.err().lines()).hasSize(4);
    assertThat(shown("plan", model.toString(), "--bits", HOSTILE).exitCode())
        .isEqualTo(ExitCode.USAGE);
    assertThat(shown("plan", HOSTILE).exitCode()).isEqualTo(ExitCode.USAGE);
  }

  /** Log lines are written by the library, with the distribution's pattern. */
  @Test
  void logsShowItEscaped() throws Exception {
    ok(quantize(folder.resolve("result").toString()));
    try (Stream<Path> units = Files.list(folder.resolve("result/units"))) {
      for (Path unit : units.toList()) {
        Files.write(unit, new byte[10]);
      }
    }
    List<String> arguments = List.of(quantize(folder.resolve("result").toString()));
    RunningProgram.Result run = RunningProgram.cafeq(List.of(), arguments).await();
    assertThat(run.exitCode()).as(run.err()).isZero();
    assertThat(run.err()).contains("Redoing ");
    assertThatNothingGetsOut(run.err());
    assertThatNothingGetsOut(run.out());
  }

  private String[] quantize(String out) {
    return new String[] {
      "quantize",
      model.toString(),
      "--out",
      out,
      "--method",
      "rtn",
      "--backend",
      "scalar",
      "--lanes",
      "1",
      "--max-memory",
      "2g",
      "--statistics",
      "none",
      "--include",
      "(?s).*mlp.*"
    };
  }

  private static CommandRun ok(String... arguments) {
    CommandRun run = shown(arguments);
    assertThat(run.exitCode()).as(run.toString()).isZero();
    return run;
  }

  private static CommandRun shown(String... arguments) {
    CommandRun run = CommandRun.of(arguments);
    assertThatNothingGetsOut(run.out());
    assertThatNothingGetsOut(run.err());
    return run;
  }

  private static JsonNode json(String... arguments) throws IOException {
    List<String> all = new ArrayList<>(List.of(arguments));
    all.add("--json");
    CommandRun run = ok(all.toArray(String[]::new));
    return JSON.readTree(run.out());
  }

  private static List<String> tensors(JsonNode plan) {
    List<String> names = new ArrayList<>();
    plan.get("units")
        .forEach(unit -> unit.get("tensors").forEach(tensor -> names.add(tensor.textValue())));
    return names;
  }

  private static void assertThatNothingGetsOut(String text) {
    assertThat(
            text.codePoints()
                .filter(c -> c != '\n' && !isOrdinary(c))
                .mapToObj(Integer::toHexString)
                .toList())
        .as(text)
        .isEmpty();
    assertThat(text.lines()).noneMatch(line -> line.startsWith("forged"));
  }

  private static boolean isOrdinary(int character) {
    return switch (Character.getType(character)) {
      case Character.CONTROL,
          Character.FORMAT,
          Character.SURROGATE,
          Character.LINE_SEPARATOR,
          Character.PARAGRAPH_SEPARATOR ->
          false;
      default -> true;
    };
  }

  private static String escaped(String text) {
    StringBuilder json = new StringBuilder();
    text.chars()
        .forEach(
            c ->
                json.append(
                    c < ' ' || c > '~' ? String.format("\\u%04x", c) : Character.toString(c)));
    return json.toString();
  }
}

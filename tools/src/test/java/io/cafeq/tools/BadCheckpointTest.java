package io.cafeq.tools;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.RawSafetensors;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.sample.SampleCheckpoint;
import io.cafeq.engine.sample.SampleShape;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Checkpoints that are broken in one way each, through {@code plan} and {@code quantize}: what is
 * said, and what is left.
 */
class BadCheckpointTest {
  private static final String FIRST = "model-00001-of-00002.safetensors";
  private static final String INDEX = "model.safetensors.index.json";

  @TempDir Path folder;

  private Path model;
  private Path out;

  @BeforeEach
  void writeModel() {
    model = folder.resolve("model");
    out = folder.resolve("out");
    SampleCheckpoint.write(
        new SampleShape(
            2, 64, 128, 4, 2, 128, Dtype.BF16, false, SampleShape.Distribution.STUDENT, 0, 100_000),
        3,
        model,
        new StopFlag());
  }

  @Test
  void theModelIsSoundBeforeATestBreaksIt() {
    assertThat(model.resolve(FIRST)).exists();
    assertThat(quantize().exitCode()).isZero();
  }

  @Test
  void truncatedShard() throws Exception {
    try (RandomAccessFile file = new RandomAccessFile(model.resolve(FIRST).toFile(), "rw")) {
      file.setLength(file.length() - 3);
    }
    assertThatItIsRefused(FIRST, "download");
  }

  @Test
  void emptyShard() throws Exception {
    Files.write(model.resolve(FIRST), new byte[0]);
    assertThatItIsRefused(FIRST, "download");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "F32 | [2,2] | 0 | 12 | 'b' | 12 | 28",
        "F32 | [2,2] | 0 | 16 | 'b' | 12 | 28",
        "F32 | [2,2] | 0 | 16 | 'b' | 20 | 36",
        "F32 | [2,2] | 0 | 16 | 'b' | 16 | 36",
        "F32 | [4611686018427387904,8] | 0 | 16 | 'b' | 16 | 32",
        "F4_E2M1 | [2,2] | 0 | 16 | 'b' | 16 | 32",
        "F99 | [2,2] | 0 | 16 | 'b' | 16 | 32",
        "F32 | [2,-2] | 0 | 16 | 'b' | 16 | 32",
        "F32 | [2,2] | 0 | 16 | 'model.layers.0.mlp.down_proj.weight' | 16 | 32"
      })
  void headersThatLie(
      String dtype,
      String shape,
      long begin,
      long end,
      String other,
      long otherBegin,
      long otherEnd)
      throws IOException {
    Path single = Files.createDirectory(folder.resolve("single"));
    Files.writeString(single.resolve("config.json"), HandMadeModel.CONFIG);
    RawSafetensors.write(
        single,
        "{"
            + RawSafetensors.entry(HandMadeModel.down(0), dtype, shape, begin, end)
            + ","
            + RawSafetensors.entry(other, "F32", "[2,2]", otherBegin, otherEnd)
            + "}",
        32);
    model = single;
    CommandRun run = assertThatItIsRefused("model.safetensors");
    assertThat(run.err()).containsAnyOf(HandMadeModel.down(0), "'b'", "\"b\"");
  }

  @Test
  void headerLongerThanTheFile() throws Exception {
    try (RandomAccessFile file = new RandomAccessFile(model.resolve(FIRST).toFile(), "rw")) {
      file.writeLong(Long.reverseBytes(50_000_000));
    }
    assertThatItIsRefused(FIRST);
  }

  @Test
  void indexThatNamesAMissingFile() throws Exception {
    Files.delete(model.resolve(FIRST));
    assertThatItIsRefused(FIRST);
  }

  @ParameterizedTest
  @CsvSource({"../outside.safetensors", "/etc/passwd", "sub/model.safetensors", "..", "model.bin"})
  void indexThatNamesAFileElsewhere(String name) throws Exception {
    Files.copy(model.resolve(FIRST), folder.resolve("outside.safetensors"));
    Path index = model.resolve(INDEX);
    Files.writeString(index, Files.readString(index).replace(FIRST, name));
    CommandRun run = assertThatItIsRefused(INDEX);
    assertThat(run.err()).contains(name);
  }

  @Test
  void indexThatIsNoJson() throws Exception {
    Files.writeString(model.resolve(INDEX), "{\"weight_map\": ");
    assertThatItIsRefused(INDEX);
  }

  @Test
  void configThatIsNoJson() throws Exception {
    Files.writeString(model.resolve("config.json"), "{\"model_type\": llama}");
    assertThatItIsRefused("config.json", "fix");
  }

  @Test
  void aResultIsNoCheckpointAndItsExportIs() throws Exception {
    assertThat(quantize().exitCode()).isZero();
    Path result = out;
    model = result;
    out = folder.resolve("again");
    CommandRun refused =
        assertThatItIsRefused(
            "is a result of cafeq", "cafeq export " + result.toRealPath() + " --format dense");
    assertThat(refused.err()).contains("--out DIR");
    Path dense = folder.resolve("dense");
    CommandRun export =
        CommandRun.of("export", result.toString(), "--format", "dense", "--out", dense.toString());
    assertThat(export.exitCode()).as(export.toString()).isZero();
    model = dense;
    assertThat(quantize().exitCode()).isZero();
  }

  @Test
  void whatAnIndexNamesInVainIsSaidAndNotInTheWay() throws Exception {
    Path index = model.resolve(INDEX);
    Files.writeString(
        index,
        Files.readString(index)
            .replace("\"weight_map\"", "\"x\": NaN, \"weight_map\"")
            .replaceFirst(
                "(\"weight_map\"\\s*:\\s*\\{)", "$1\"mtp.fc.weight\": \"" + FIRST + "\","));
    CommandRun plan = command("plan");
    assertThat(plan.exitCode()).as(plan.toString()).isZero();
    assertThat(plan.out()).contains("mtp.fc.weight");
    assertThat(quantize().exitCode()).isZero();
    assertThat(Files.readString(out.resolve("report.json"))).contains("mtp.fc.weight");
  }

  @Test
  void whatPythonWritesGoesThrough() throws Exception {
    Path config = model.resolve("config.json");
    Files.writeString(
        config,
        "\uFEFF"
            + Files.readString(config)
                .replaceFirst("\\{", "{\"time_step_limit\": [0.0, Infinity],"));
    assertThat(quantize().exitCode()).isZero();
    assertThat(CommandRun.of("verify", out.toString(), "--against", model.toString()).exitCode())
        .isZero();
    CommandRun export =
        CommandRun.of(
            "export",
            out.toString(),
            "--format",
            "dense",
            "--out",
            folder.resolve("dense").toString());
    assertThat(export.exitCode()).as(export.toString()).isZero();
    assertThat(folder.resolve("dense/config.json")).hasSameBinaryContentAs(config);
  }

  @Test
  void emptyFolder() throws Exception {
    model = Files.createDirectory(folder.resolve("nothing"));
    assertThatItIsRefused("nothing", "model.safetensors");
  }

  @Test
  void weightsOfAnotherFormat() throws Exception {
    model = Files.createDirectory(folder.resolve("old"));
    Files.write(model.resolve("pytorch_model.bin"), new byte[100]);
    Files.writeString(model.resolve("config.json"), HandMadeModel.CONFIG);
    assertThatItIsRefused("pytorch_model.bin", "convert");
  }

  @ParameterizedTest
  @CsvSource({"NaN, NaN", "Infinity, infinity", "-Infinity, infinity"})
  void aWeightThatIsNoNumberIsNamedAndTheOtherUnitsAreDone(double value, String word)
      throws Exception {
    for (String method : new String[] {"rtn", "cafeq"}) {
      Path broken =
          new HandMadeModel()
              .matrix(HandMadeModel.down(0), 32, 64, HandMadeModel.ordinary(1))
              .matrix(
                  HandMadeModel.down(1),
                  32,
                  64,
                  index -> index == 17 * 64 + 5 ? value : index % 7 * 0.01)
              .matrix(HandMadeModel.down(2), 32, 64, HandMadeModel.ordinary(2))
              .write(folder.resolve("broken-" + method));
      Path partial = folder.resolve("partial-" + method);

      CommandRun run =
          CommandRun.of(
              "quantize",
              broken.toString(),
              "--out",
              partial.toString(),
              "--backend",
              "scalar",
              "--method",
              method,
              "--steps",
              "2",
              "--block",
              "8",
              "--max-memory",
              "2g",
              "--json");

      assertThat(run.exitCode()).as(run.toString()).isEqualTo(ExitCode.CHECKPOINT);
      assertThat(run.err())
          .contains(
              "model.safetensors", HandMadeModel.down(1), "row 17, column 5", word, "exclude");
      JsonNode report = JsonMapper.builder().build().readTree(run.out());
      assertThat(report.get("status").asText()).isEqualTo("partial");
      assertThat(report.get("units"))
          .extracting(unit -> unit.get("status").asText())
          .containsExactly("done", "failed", "done");
      assertThat(partial.resolve("manifest.json")).doesNotExist();
      try (var units = Files.list(partial.resolve("units"))) {
        assertThat(units).hasSize(2).allMatch(unit -> unit.toString().endsWith(".arrow"));
      }
      CommandRun export =
          CommandRun.of(
              "export",
              partial.toString(),
              "--format",
              "dense",
              "--out",
              folder.resolve("no-" + method).toString());
      assertThat(export.exitCode()).as(export.toString()).isEqualTo(ExitCode.FAILURE);
    }
  }

  @Test
  void excludingWhatIsBrokenMendsIt() throws Exception {
    model =
        new HandMadeModel()
            .matrix(HandMadeModel.down(0), 32, 64, index -> index == 0 ? Double.NaN : 1)
            .matrix(HandMadeModel.down(1), 32, 64, HandMadeModel.ordinary(1))
            .write(folder.resolve("half"));
    assertThat(quantize("--exclude", ".*layers\\.0\\..*").exitCode()).isZero();
  }

  @Test
  void aCheckpointThatChangedSinceAnEarlierRunIsNotMixedWithIt() throws Exception {
    assertThat(quantize().exitCode()).isZero();
    Files.delete(out.resolve("manifest.json"));
    try (RandomAccessFile file = new RandomAccessFile(model.resolve(FIRST).toFile(), "rw")) {
      file.seek(file.length() - 1);
      int last = file.read();
      file.seek(file.length() - 1);
      file.write(last ^ 1);
    }

    CommandRun run = quantize();

    assertThat(run.exitCode()).as(run.toString()).isEqualTo(ExitCode.USAGE);
    assertThat(run.err()).contains("source tensors changed", "model.", "--out");
    assertThat(out.resolve("manifest.json")).doesNotExist();
  }

  private CommandRun quantize(String... more) {
    return command("quantize", more);
  }

  private CommandRun command(String name, String... more) {
    String[] arguments =
        java.util.Arrays.copyOf(
            new String[] {
              name,
              model.toString(),
              "--out",
              out.toString(),
              "--method",
              "rtn",
              "--backend",
              "scalar",
              "--max-memory",
              "2g"
            },
            10 + more.length);
    System.arraycopy(more, 0, arguments, 10, more.length);
    return CommandRun.of(arguments);
  }

  /** By both commands, before anything is written. */
  private CommandRun assertThatItIsRefused(String... words) {
    CommandRun plan = command("plan");
    assertThat(plan.exitCode()).as(plan.toString()).isEqualTo(ExitCode.CHECKPOINT);
    CommandRun run = quantize();
    assertThat(run.exitCode()).as(run.toString()).isEqualTo(ExitCode.CHECKPOINT);
    assertThat(run.err())
        .startsWith("cafeq: ")
        .doesNotContain("Exception", " at io.cafeq", "unexpected");
    assertThat(run.err().lines()).hasSizeGreaterThan(1);
    for (String word : words) {
      assertThat(run.err()).containsIgnoringCase(word);
    }
    assertThat(run.out()).isEmpty();
    assertThat(out).doesNotExist();
    return run;
  }
}

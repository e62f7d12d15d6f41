package io.cafeq.tools;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.sample.SampleCheckpoint;
import io.cafeq.engine.sample.SampleShape;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Damage on the way: of a result, and of a checkpoint. DistributionTest has the way itself. */
class FlowTest {
  private static final JsonMapper ONE_DOCUMENT =
      JsonMapper.builder().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS).build();

  @TempDir static Path folder;

  private static Path model;

  @BeforeAll
  static void writeModel() {
    model = folder.resolve("model");
    SampleCheckpoint.write(shape(), 1, model, new StopFlag());
  }

  @Test
  void aDamagedResultDoesNotVerify() throws Exception {
    Path out = folder.resolve("damaged");
    json(
        ExitCode.OK,
        "quantize",
        model.toString(),
        "--out",
        out.toString(),
        "--method",
        "rtn",
        "--backend",
        "scalar");
    Path unit;
    try (var files = Files.list(out.resolve("units"))) {
      unit = files.sorted().findFirst().orElseThrow();
    }
    try (RandomAccessFile file = new RandomAccessFile(unit.toFile(), "rw")) {
      file.seek(file.length() / 2);
      int old = file.read();
      file.seek(file.length() / 2);
      file.write(~old);
    }

    JsonNode verdict =
        json(ExitCode.FAILURE, "verify", out.toString(), "--against", model.toString());

    assertThat(verdict.get("sound").asBoolean()).isFalse();
    assertThat(verdict.at("/problems/0/message").asText()).contains(unit.getFileName().toString());
  }

  @Test
  void nanInACheckpointIsItsOwnExitCodeAndTheOtherUnitsAreDone() throws Exception {
    Path broken = folder.resolve("broken");
    SampleCheckpoint.write(shape(), 2, broken, new StopFlag());
    Path weights = broken.resolve("model.safetensors");
    try (RandomAccessFile file = new RandomAccessFile(weights.toFile(), "rw")) {
      long header = 8 + Long.reverseBytes(file.readLong());
      byte[] text = new byte[(int) header - 8];
      file.readFully(text);
      JsonNode entries = ONE_DOCUMENT.readTree(text);
      file.seek(
          header + entries.at("/model.layers.1.mlp.down_proj.weight/data_offsets/0").longValue());
      byte[] notANumber = {(byte) 0xC0, 0x7F};
      file.write(notANumber);
    }

    JsonNode report =
        json(
            ExitCode.CHECKPOINT,
            "quantize",
            broken.toString(),
            "--out",
            folder.resolve("partial").toString(),
            "--method",
            "rtn",
            "--backend",
            "scalar",
            "--statistics",
            "none");

    assertThat(report.get("status").asText()).isEqualTo("partial");
    assertThat(report.get("units"))
        .filteredOn(unit -> unit.get("status").asText().equals("failed"))
        .singleElement()
        .satisfies(
            unit ->
                assertThat(unit.at("/error/message").asText())
                    .contains("model.layers.1.mlp.down_proj.weight"));
    assertThat(folder.resolve("partial").resolve("manifest.json")).doesNotExist();
    assertThat(
            json(ExitCode.FAILURE, "verify", folder.resolve("partial").toString())
                .at("/error/message")
                .asText())
        .isNotBlank();
  }

  private static SampleShape shape() {
    return new SampleShape(
        2,
        128,
        384,
        4,
        2,
        256,
        Dtype.BF16,
        true,
        SampleShape.Distribution.STUDENT,
        1.0 / 64,
        1L << 30);
  }

  private static JsonNode json(int exitCode, String... arguments) throws Exception {
    String[] all = java.util.Arrays.copyOf(arguments, arguments.length + 1);
    all[arguments.length] = "--json";
    CommandRun result = CommandRun.of(all);
    assertThat(result.exitCode()).as(String.join(" ", all) + "\n" + result).isEqualTo(exitCode);
    return ONE_DOCUMENT.readTree(result.out());
  }
}

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

/**
 * A small model through every command, each a process of its own whose stdout is one JSON document.
 */
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
  void everyCommandPrintsOneJsonDocument() throws Exception {
    Path out = folder.resolve("out");

    JsonNode plan = json(ExitCode.OK, "plan", model.toString(), "--out", out.toString());
    assertThat(plan.at("/totals/weights").asLong()).isPositive();
    assertThat(plan.get("seconds").asDouble()).isPositive();
    assertThat(out).doesNotExist();

    JsonNode report =
        json(ExitCode.OK, "quantize", model.toString(), "--out", out.toString(), "--steps", "20");
    assertThat(report).isEqualTo(ONE_DOCUMENT.readTree(out.resolve("report.json").toFile()));
    assertThat(report.get("status").asText()).isEqualTo("complete");
    for (String name :
        new String[] {
          "weights",
          "bits_per_weight",
          "model_bits_per_weight",
          "model_bytes",
          "relative_error",
          "plain",
          "plain_clipped",
          "plain_equal_bits",
          "seconds",
          "bytes_read",
          "bytes_written",
          "peak_memory_bytes"
        }) {
      assertThat(report.get("totals").hasNonNull(name)).as(name).isTrue();
    }
    assertThat(report.at("/totals/weights")).isEqualTo(plan.at("/totals/weights"));
    assertThat(report.at("/statistics/source").asText()).isEqualTo("random");
    assertThat(report.at("/totals/relative_output_error").asDouble())
        .isPositive()
        .isLessThanOrEqualTo(
            report.at("/totals/plain_equal_bits/relative_output_error").asDouble());

    JsonNode again =
        json(ExitCode.OK, "quantize", model.toString(), "--out", out.toString(), "--steps", "20");
    assertThat(again).isEqualTo(report);

    JsonNode checkpoint = json(ExitCode.OK, "inspect", model.toString());
    assertThat(checkpoint.get("kind").asText()).isEqualTo("checkpoint");
    JsonNode result = json(ExitCode.OK, "inspect", out.toString());
    assertThat(result.get("kind").asText()).isEqualTo("result");
    assertThat(result.get("quantized_weights")).isEqualTo(report.at("/totals/weights"));
    int pairs = report.at("/totals/pairs/count").asInt();
    assertThat(pairs).isPositive();
    assertThat(result.get("pairs")).hasSize(pairs);
    assertThat(result.at("/pairs/0/kind").asText()).isEqualTo("value-output");
    for (JsonNode tensor : result.get("tensors")) {
      boolean coupled = tensor.get("name").asText().matches(".*[vo]_proj\\.weight");
      assertThat(tensor.get("coupled").asBoolean()).as(tensor.toString()).isEqualTo(coupled);
      assertThat(tensor.get("stored").asText().endsWith("factor of a pair")).isEqualTo(coupled);
    }

    JsonNode verdict = json(ExitCode.OK, "verify", out.toString(), "--against", model.toString());
    assertThat(verdict.get("sound").asBoolean()).isTrue();
    assertThat(verdict.get("relative_error").asDouble())
        .isCloseTo(
            report.at("/totals/relative_error").asDouble(),
            org.assertj.core.data.Percentage.withPercentage(0.1));

    Path dense = folder.resolve("dense");
    JsonNode export =
        json(ExitCode.OK, "export", out.toString(), "--format", "dense", "--out", dense.toString());
    assertThat(export.get("tensors").asInt()).isEqualTo(checkpoint.get("tensors").size());
    assertThat(json(ExitCode.OK, "inspect", dense.toString()).get("tensors"))
        .isEqualTo(checkpoint.get("tensors"));

    JsonNode doctor = json(ExitCode.OK, "doctor");
    assertThat(doctor.get("usable").asBoolean()).isTrue();
    assertThat(doctor.at("/tokenizers/detail").asText()).contains("tokenizers");
    assertThat(json(ExitCode.OK, "config").get("settings")).isNotEmpty();
    JsonNode demo =
        json(ExitCode.OK, "demo", "--out", folder.resolve("demo").toString(), "--method", "rtn");
    assertThat(demo.get("status").asText()).isEqualTo("complete");
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
    RunningProgram.Result result = RunningProgram.cafeq(all);
    assertThat(result.exitCode())
        .as(String.join(" ", all) + "\n" + result.err())
        .isEqualTo(exitCode);
    return ONE_DOCUMENT.readTree(result.out());
  }
}

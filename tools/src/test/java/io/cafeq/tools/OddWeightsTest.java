package io.cafeq.tools;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntToDoubleFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Weights and shapes at the edges of what floats and checkpoints can hold: each run succeeds and
 * its result verifies.
 */
class OddWeightsTest {
  @TempDir Path folder;

  @ParameterizedTest
  @CsvSource({
    "0, cafeq, nd4j",
    "0, cafeq, scalar",
    "0, rtn, scalar",
    "1, cafeq, nd4j",
    "1, cafeq, scalar",
    "1, rtn, scalar",
    "1e-30, cafeq, nd4j",
    "1e-30, cafeq, scalar",
    "1e-30, rtn, scalar",
    "1e30, cafeq, nd4j",
    "1e30, cafeq, scalar",
    "1e30, rtn, scalar",
    "1e-40, cafeq, nd4j",
    "1e-40, rtn, scalar",
    "3e38, cafeq, nd4j",
    "3e38, rtn, scalar"
  })
  void magnitudes(double magnitude, String method, String backend) throws Exception {
    IntToDoubleFunction spread = HandMadeModel.ordinary(1);
    Path model =
        new HandMadeModel()
            // rows of one value, then weights that differ, never above the largest float
            .matrix(HandMadeModel.down(0), 64, 128, index -> magnitude * (index / 128 % 3 - 1))
            .matrix(
                HandMadeModel.down(1),
                64,
                128,
                index -> magnitude * Math.clamp(spread.applyAsDouble(index) * 10, -1, 1))
            .write(folder.resolve("model"));
    for (String side : new String[] {"input", "output"}) {
      JsonNode report =
          run(
              model,
              folder.resolve(side),
              "--method",
              method,
              "--backend",
              backend,
              "--block",
              "16",
              "--side",
              side,
              "--steps",
              "10");
      if (magnitude == 0) {
        assertThat(report.at("/totals/relative_error").asDouble()).isZero();
      }
      assertThat(report.at("/totals/relative_error").asDouble()).isBetween(0.0, 1.0);
    }
  }

  @Test
  void mixedMagnitudesInOneMatrix() throws Exception {
    IntToDoubleFunction spread = HandMadeModel.ordinary(1);
    double[] scales = {1e-38, 1e-30, 1e-10, 1, 1e10, 1e30, 0};
    Path model =
        new HandMadeModel()
            .matrix(
                HandMadeModel.down(0),
                70,
                128,
                index -> scales[index / 128 % 7] * spread.applyAsDouble(index))
            .matrix(
                HandMadeModel.down(1),
                64,
                128,
                index -> scales[index % 7] * spread.applyAsDouble(index))
            .write(folder.resolve("model"));
    run(model, folder.resolve("a"), "--block", "16", "--steps", "10", "--side", "input");
    run(model, folder.resolve("b"), "--block", "16", "--steps", "10", "--side", "output");
    run(model, folder.resolve("c"), "--method", "rtn");
  }

  @ParameterizedTest
  @CsvSource({"1, 128", "128, 1", "1, 1", "2, 3", "97, 101", "8, 8", "7, 64", "64, 7", "300, 130"})
  void shapes(int rows, int columns) throws Exception {
    Path model =
        new HandMadeModel()
            .matrix(HandMadeModel.down(0), rows, columns, HandMadeModel.ordinary(rows))
            .matrix(
                "model.layers.0.self_attn.q_proj.weight", rows, columns, HandMadeModel.ordinary(2))
            .matrix("model.layers.0.self_attn.k_proj.weight", 5, columns, HandMadeModel.ordinary(3))
            .matrix("model.layers.0.self_attn.v_proj.weight", 5, columns, HandMadeModel.ordinary(4))
            .write(folder.resolve("model"));
    for (String method : new String[] {"cafeq", "hadamard"}) {
      for (String side : new String[] {"input", "output"}) {
        for (String group : new String[] {"128", "channel"}) {
          run(
              model,
              folder.resolve(method + side + group),
              "--method",
              method,
              "--side",
              side,
              "--group",
              group,
              "--transform-bits",
              "16",
              "--steps",
              "3");
        }
      }
    }
  }

  @Test
  void tensorsWithoutElementsAndTensorsThatAreNoMatrices() throws Exception {
    Path model =
        new HandMadeModel()
            .matrix(HandMadeModel.down(0), 0, 64, index -> 0)
            .matrix(HandMadeModel.down(1), 64, 0, index -> 0)
            .matrix(HandMadeModel.down(2), 16, 64, HandMadeModel.ordinary(1))
            .tensor("model.layers.3.mlp.down_proj.weight", "[]", 1, index -> 1)
            .tensor("model.layers.4.mlp.down_proj.weight", "[64]", 64, index -> 1)
            .tensor("model.layers.5.mlp.down_proj.weight", "[2,4,8]", 64, index -> 1)
            .write(folder.resolve("model"));
    JsonNode report = run(model, folder.resolve("out"), "--method", "rtn");
    assertThat(report.at("/totals/weights").asLong()).isEqualTo(16 * 64);
  }

  @Test
  void nothingToQuantize() throws Exception {
    Path model =
        new HandMadeModel()
            .tensor("model.norm.weight", "[64]", 64, index -> 1)
            .write(folder.resolve("model"));
    JsonNode report = run(model, folder.resolve("out"), "--minimum-coverage", "0");
    assertThat(report.at("/totals/weights").asLong()).isZero();
    assertThat(report.at("/totals/relative_error").asDouble()).isZero();
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 3, 4, 5, 6, 7, 8})
  void moreBitsMeanLessError(int bits) throws Exception {
    Path model =
        new HandMadeModel()
            .matrix(HandMadeModel.down(0), 64, 128, HandMadeModel.ordinary(1))
            .write(folder.resolve("model"));
    JsonNode report =
        run(
            model,
            folder.resolve("out"),
            "--bits",
            Integer.toString(bits),
            "--block",
            "16",
            "--steps",
            "10");
    // Gaussian weights: about half of the error with each bit.
    assertThat(report.at("/totals/relative_error").asDouble() * (1 << bits)).isBetween(0.8, 2.6);
  }

  /** Quantizes, verifies, exports; every number of the report is finite. */
  private JsonNode run(Path model, Path out, String... more) throws Exception {
    List<String> arguments =
        new ArrayList<>(
            List.of(
                "quantize",
                model.toString(),
                "--out",
                out.toString(),
                "--lanes",
                "1",
                "--max-memory",
                "2g",
                "--json"));
    if (!List.of(more).contains("--backend")) {
      arguments.addAll(List.of("--backend", "scalar"));
    }
    arguments.addAll(List.of(more));
    CommandRun run = CommandRun.of(arguments.toArray(String[]::new));
    assertThat(run.exitCode()).as(arguments + "\n" + run).isZero();
    assertThat(run.out()).doesNotContain("NaN", "Infinity");
    CommandRun verdict =
        CommandRun.of("verify", out.toString(), "--against", model.toString(), "--json");
    assertThat(verdict.exitCode()).as(arguments + "\n" + verdict).isZero();
    CommandRun export =
        CommandRun.of(
            "export", out.toString(), "--format", "dense", "--out", out + "-dense", "--json");
    assertThat(export.exitCode()).as(arguments + "\n" + export).isZero();
    return JsonMapper.builder().build().readTree(run.out());
  }
}

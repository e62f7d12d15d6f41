package io.cafeq.tools;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.cafeq.engine.compute.Numerics;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the measuring commands print, as processes. Speeds are not judged here, errors are. */
class MeasuringCommandsTest {
  private static final JsonMapper ONE_DOCUMENT =
      JsonMapper.builder().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS).build();

  @TempDir Path folder;

  @Tag("slow")
  @Numerics
  @Test
  void tableOneIsReproduced() throws Exception {
    RunningProgram.Result result = RunningProgram.cafeq("reproduce", "table1", "--json");

    assertThat(result.exitCode()).as(result.err()).isZero();
    JsonNode rows = ONE_DOCUMENT.readTree(result.out());
    Map<String, Double> most =
        Map.of("CafeQ k=32", .112, "CafeQ k=64", .103, "CafeQ k=128", .095, "CafeQ k=256", .087);
    assertThat(rows).hasSize(6);
    for (JsonNode row : rows) {
      double measured = row.get("measured").asDouble();
      String name = row.get("name").asText();
      assertThat(row.get("paper").asDouble()).as(name).isPositive();
      if (most.containsKey(name)) {
        assertThat(measured).as(name).isLessThanOrEqualTo(most.get(name)).isGreaterThan(.05);
      } else {
        assertThat(measured).as(name).isCloseTo(.148, within(.002));
      }
    }
  }

  @Test
  void theToyProductIsReproduced() throws Exception {
    RunningProgram.Result result = RunningProgram.cafeq("reproduce", "toy", "--json");

    assertThat(result.exitCode()).as(result.err()).isZero();
    JsonNode rows = ONE_DOCUMENT.readTree(result.out());
    assertThat(rows).hasSize(2);
    for (JsonNode row : rows) {
      assertThat(row.get("measured").asDouble())
          .isCloseTo(row.get("paper").asDouble(), within(1e-6));
    }
  }

  @Tag("slow")
  @Test
  void benchPrintsEveryFigureWithItsLimit() throws Exception {
    RunningProgram.Result result =
        RunningProgram.cafeq(
            "bench", "--json", "--runs", "1", "--megabytes", "48", "--folder", folder.toString());

    assertThat(result.exitCode()).as(result.err()).isZero();
    JsonNode figures = ONE_DOCUMENT.readTree(result.out());
    assertThat(figures)
        .extracting(figure -> figure.get("name").asText())
        .contains(
            "learn_k128",
            "learn_value_output",
            "learn_gate_up",
            "statistics_pass",
            "statistics_to_learning",
            "plain_bf16");
    for (JsonNode figure : figures) {
      assertThat(figure.get("value").asDouble()).isPositive();
      assertThat(figure.get("limit").asDouble()).isPositive();
      assertThat(figure.get("unit").asText()).isIn("GFLOP/s", "MB/s", "s per layer");
      assertThat(figure.get("ratio").asDouble())
          .isCloseTo(figure.get("value").asDouble() / figure.get("limit").asDouble(), within(1e-9));
      boolean isLayer =
          List.of("learn_value_output", "learn_gate_up", "statistics_pass")
              .contains(figure.get("name").asText());
      assertThat(figure.has("layer")).isEqualTo(isLayer);
      if (isLayer) {
        assertThat(figure.at("/layer/seconds").asDouble()).isPositive();
        assertThat(figure.at("/layer/measured").asText()).containsAnyOf(" steps", "4096 tokens");
      }
    }
    assertThat(folder).isEmptyDirectory();
  }
}

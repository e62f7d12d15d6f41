package io.cafeq.tools;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The program as a process of its own. */
class ProcessTest {
  private static final JsonMapper ONE_DOCUMENT =
      JsonMapper.builder().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS).build();

  @TempDir Path folder;

  @Test
  void versionLoadsNeitherNd4jNorPekko() throws Exception {
    Path log = folder.resolve("classes.log");

    RunningProgram.Result result =
        RunningProgram.cafeq(List.of("-Xlog:class+load:file=" + log), List.of("--version")).await();

    assertThat(result.exitCode()).isZero();
    assertThat(result.out()).matches("cafeq \\d+\\.\\d+\\.\\d+\\S*\n");
    assertThat(result.err()).isEmpty();
    assertThat(Files.readAllLines(log))
        .anyMatch(line -> line.contains(" io.cafeq.tools.Main "))
        .noneMatch(
            line ->
                line.contains(" org.nd4j.")
                    || line.contains(" org.apache.pekko.")
                    || line.contains(" scala."));
  }

  @Test
  void usageErrorsEndWithTwo() throws Exception {
    RunningProgram.Result result = RunningProgram.cafeq("quantize");

    assertThat(result.exitCode()).isEqualTo(ExitCode.USAGE);
    assertThat(result.out()).isEmpty();
    assertThat(result.err()).contains("--out");
  }

  @Test
  void doctorWorksHereAndItsJsonIsAloneOnStdout() throws Exception {
    RunningProgram.Result result = RunningProgram.cafeq("doctor", "--json");

    JsonNode document = ONE_DOCUMENT.readTree(result.out());
    assertThat(result.exitCode()).as(result.out()).isZero();
    assertThat(document.get("usable").asBoolean()).isTrue();
    assertThat(document.get("backends"))
        .extracting(backend -> backend.get("id").asText())
        .contains("scalar", "nd4j");
  }
}

package io.cafeq.tools;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.json.JsonMapper;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.sample.SampleCheckpoint;
import io.cafeq.engine.sample.SampleShape;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a running job does when it is told to stop. */
class SignalTest {
  @TempDir static Path folder;

  @BeforeAll
  static void writeModel() {
    assumeTrue(Files.isDirectory(Path.of("/proc/self")), "no Unix signals here");
    assumeTrue(DefaultSignals.reachProcesses(), "SIGINT is ignored, and env cannot reset it");
    SampleCheckpoint.write(SampleShape.demo(), 1, folder.resolve("model"), new StopFlag());
  }

  @ParameterizedTest
  @CsvSource({"INT, 130", "TERM, 143"})
  void aSignalStopsTheJobWithItsOwnExitCodeAndLeavesAReport(String signal, int exitCode)
      throws Exception {
    Path out = folder.resolve("out-" + signal);
    RunningProgram program = longJob(out);
    program.awaitMessage("cafeq: quantizing");

    Instant sent = Instant.now();
    program.signal(signal);
    RunningProgram.Result result = program.await();

    assertThat(result.exitCode()).as(result.err()).isEqualTo(exitCode);
    assertThat(Duration.between(sent, Instant.now())).isLessThan(Duration.ofSeconds(6));
    assertThat(result.err()).contains("the same command continues");
    assertThat(
            JsonMapper.builder()
                .build()
                .readTree(out.resolve("report.json").toFile())
                .get("status")
                .asText())
        .isEqualTo("stopped");
    assertThat(out.resolve("manifest.json")).doesNotExist();
  }

  @Test
  void aSecondSignalEndsAtOnce() throws Exception {
    RunningProgram program = longJob(folder.resolve("out-twice"));
    program.awaitMessage("cafeq: quantizing");

    program.signal("INT");
    program.awaitMessage("press Ctrl-C again to quit now");
    program.signal("INT");

    assertThat(program.await().exitCode()).isEqualTo(130);
  }

  private static RunningProgram longJob(Path out) throws Exception {
    return RunningProgram.cafeq(
        List.of(),
        List.of(
            "quantize",
            folder.resolve("model").toString(),
            "--out",
            out.toString(),
            "--steps",
            "100000",
            "--backend",
            "scalar",
            "--lanes",
            "2"));
  }
}

package io.cafeq.tools;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.sample.SampleCheckpoint;
import io.cafeq.engine.sample.SampleShape;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Models larger than the memory that a run may take, under the launcher's own heap. CONTRIBUTING
 * tells of larger ones.
 */
@Tag("slow")
class MemoryCapTest {
  private static final long BYTES = 1_300_000_000;
  private static final long CAP = 768L << 20;

  @TempDir static Path folder;

  private static Path model;

  @BeforeAll
  static void writeModel() {
    assumeTrue(
        Files.exists(Path.of("/proc/self/status")), "nothing says here what a process takes");
    model = folder.resolve("model");
    SampleShape shape = SampleShape.ofBytes(BYTES).withLargestShard(600_000_000);
    assertThat(shape.bytes()).isGreaterThan(CAP * 3 / 2);
    SampleCheckpoint.write(shape, 5, model, new StopFlag());
  }

  @Test
  void aModelLargerThanTheCapStaysBelowIt() throws Exception {
    run(
        "rtn",
        "--method",
        "rtn",
        "--no-clip",
        "--lanes",
        "4",
        "--statistics",
        "random",
        "--statistics-tokens",
        "64",
        "--statistics-width",
        "1024");
  }

  /** A stripe of 128 channels of gate and up together is the most that a learner holds. */
  @Test
  void learningOnWideLayersStaysBelowTheCap() throws Exception {
    run(
        "cafeq",
        "--include",
        "model\\.layers\\.0\\..*proj.*",
        "--steps",
        "1",
        "--pair-steps",
        "1",
        "--lanes",
        "4",
        "--baselines",
        "off",
        "--no-clip",
        "--no-fall-back",
        "--no-verify",
        "--statistics",
        "none");
  }

  private static void run(String name, String... options) throws Exception {
    Path out = folder.resolve(name);
    List<String> arguments =
        new ArrayList<>(
            List.of(
                "quantize",
                model.toString(),
                "--out",
                out.toString(),
                "--max-memory",
                "768m",
                "--json"));
    arguments.addAll(List.of(options));
    RunningProgram.Result result = RunningProgram.cafeq(List.of(), arguments).await();
    assertThat(result.exitCode()).as(result.err()).isZero();
    assertThat(result.err()).doesNotContain("OutOfMemory");
    JsonNode report = JsonMapper.builder().build().readTree(result.out());
    // Less than the heap and the libraries alone would mean that nothing was measured.
    assertThat(report.at("/totals/peak_memory_bytes").asLong()).isBetween(50L << 20, CAP);
    assertThat(report.at("/machine/memory_cap_exceeded").asBoolean()).isFalse();
    assertThat(report.at("/machine/max_memory_bytes").asLong()).isEqualTo(CAP);
  }
}

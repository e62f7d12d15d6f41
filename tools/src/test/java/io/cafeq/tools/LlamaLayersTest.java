package io.cafeq.tools;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.sample.SampleCheckpoint;
import io.cafeq.engine.sample.SampleShape;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Layers of the size of Llama-3-8B's under a stated cap, with the heap that the launcher chooses:
 * what the process holds in RssAnon and RssShmem stays below the cap.
 */
@Tag("slow")
class LlamaLayersTest {
  private static final int HIDDEN = 4096;
  private static final int INTERMEDIATE = 14336;
  private static final Duration LIMIT = Duration.ofMinutes(40);

  @TempDir Path folder;

  @BeforeEach
  void needsProc() {
    assumeTrue(
        Files.exists(Path.of("/proc/self/status")), "nothing says here what a process takes");
  }

  /** Four units for each of four layers, all under way at once as far as their claims allow. */
  @Test
  void sixteenLanesStayBelowTwoGibibytes() throws Exception {
    run(4, 2048, "--lanes", "16", "--max-memory", "2g");
  }

  @Test
  void theReferenceStaysBelowOneGibibyte() throws Exception {
    // Blocks of 32 take a fourth of the time of the usual 128, and the same room beside their own.
    run(1, 1024, "--backend", "scalar", "--block", "32", "--lanes", "2", "--max-memory", "1g");
  }

  private void run(int layers, long capMebibytes, String... options) throws Exception {
    Path model = folder.resolve("model");
    SampleShape shape =
        new SampleShape(
            layers,
            HIDDEN,
            INTERMEDIATE,
            32,
            8,
            64,
            Dtype.BF16,
            true,
            SampleShape.Distribution.STUDENT,
            0,
            4_000_000_000L);
    SampleCheckpoint.write(shape, 5, model, new StopFlag());
    List<String> arguments =
        new ArrayList<>(
            List.of(
                "quantize",
                model.toString(),
                "--out",
                folder.resolve("out").toString(),
                "--steps",
                "1",
                "--pair-steps",
                "1",
                "--baselines",
                "off",
                "--no-clip",
                "--no-fall-back",
                "--no-verify",
                "--statistics",
                "none",
                "--json"));
    arguments.addAll(List.of(options));
    String heap = "-Xmx" + LauncherHeapTest.heap(arguments) + "m";
    RunningProgram program = RunningProgram.cafeq(List.of(heap), arguments);
    assertThat(program.endsWithin(LIMIT)).isTrue();
    RunningProgram.Result result = program.await();
    assertThat(result.exitCode()).as(result.err()).isZero();
    assertThat(result.err()).doesNotContain("OutOfMemory");
    JsonNode report = JsonMapper.builder().build().readTree(result.out());
    assertThat(report.at("/totals/peak_memory_bytes").asLong())
        .isBetween(100L << 20, capMebibytes << 20);
    assertThat(report.at("/machine/memory_cap_exceeded").asBoolean()).isFalse();
  }
}

package io.cafeq.tools;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.sample.SampleCheckpoint;
import io.cafeq.engine.sample.SampleShape;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.SortedMap;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Processes that are killed or stopped while they take statistics, and go on to the bytes of an
 * undisturbed run.
 */
@Tag("slow")
class StatisticsKillTest {
  private static final int KILLS = Integer.getInteger("cafeq.test.kills", 5);
  private static final long SEED = Long.getLong("cafeq.test.seed", 20260202);
  private static final int LAYERS = 6;
  private static final Duration TIME_TO_STOP = Duration.ofSeconds(5);

  @TempDir static Path folder;

  private static Path model;
  private static SortedMap<String, String> undisturbed;

  @BeforeAll
  static void runOnceWithoutKills() throws Exception {
    assumeTrue(Files.isDirectory(Path.of("/proc/self")), "no Unix signals here");
    model = folder.resolve("model");
    SampleShape shape =
        new SampleShape(
            LAYERS,
            256,
            704,
            8,
            4,
            512,
            Dtype.BF16,
            false,
            SampleShape.Distribution.STUDENT,
            1.0 / 64,
            3_000_000);
    SampleCheckpoint.write(shape, 7, model, new StopFlag());
    Path out = folder.resolve("undisturbed");
    RunningProgram.Result result = start(out, 1, "1g").await();
    assertThat(result.exitCode()).as(result.err()).isZero();
    undisturbed = FolderContent.of(out);
    assertThat(undisturbed.keySet())
        .filteredOn(name -> name.startsWith("statistics/"))
        .hasSize(LAYERS + 1);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2})
  void whatIsKilledWhileLayersAreMeasuredGoesOnToTheSameBytes(int lanes) throws Exception {
    Random random = new Random(SEED + lanes);
    Path out = folder.resolve("killed-" + lanes);
    for (int kill = 0; kill < KILLS; kill++) {
      RunningProgram program = start(out, lanes, lanes == 1 ? "1g" : "900m");
      String message =
          kill == 0
              ? "cafeq: taking statistics"
              : "cafeq: statistics: layer " + (1 + kill % LAYERS);
      if (program.awaitMessageOrEnd(message)
          && !program.endsWithin(Duration.ofMillis(random.nextInt(200)))) {
        program.signal("KILL");
      }
      program.await();
      assertThatWhatIsThereIsRight(out);
    }

    RunningProgram.Result last = start(out, lanes, "1g").await();

    assertThat(last.exitCode()).as(last.err()).isZero();
    assertThat(FolderContent.of(out)).as("seed %d, %d lanes", SEED, lanes).isEqualTo(undisturbed);
    RunningProgram.Result verdict =
        RunningProgram.cafeq("verify", out.toString(), "--against", model.toString());
    assertThat(verdict.exitCode()).as(verdict.out()).isZero();
    assertThat(verdict.out()).containsPattern("statistics +checked");
  }

  @Test
  void anInterruptedPassEndsSoonAndTheSameCommandContinues() throws Exception {
    assumeTrue(DefaultSignals.reachProcesses(), "SIGINT is ignored, and env cannot reset it");
    Path out = folder.resolve("interrupted");
    RunningProgram program = start(out, 1, "1g");
    program.awaitMessage("cafeq: taking statistics");

    program.signal("INT");

    assertThat(program.endsWithin(TIME_TO_STOP)).isTrue();
    assertThat(program.await().exitCode()).isIn(130, ExitCode.OK);
    RunningProgram.Result last = start(out, 2, "1g").await();
    assertThat(last.exitCode()).as(last.err()).isZero();
    assertThat(FolderContent.of(out)).isEqualTo(undisturbed);
  }

  /** Files under their final names are finished, whatever happened. */
  private static void assertThatWhatIsThereIsRight(Path out) throws IOException {
    SortedMap<String, String> content = FolderContent.of(out);
    content
        .keySet()
        .removeIf(
            name ->
                name.endsWith(".part") || name.startsWith(".cafeq/") || name.equals("report.json"));
    assertThat(undisturbed).containsAllEntriesOf(content);
  }

  private static RunningProgram start(Path out, int lanes, String memory) throws IOException {
    return RunningProgram.cafeq(
        List.of(),
        List.of(
            "quantize",
            model.toString(),
            "--out",
            out.toString(),
            "--steps",
            "5",
            "--pair-steps",
            "5",
            "--lanes",
            Integer.toString(lanes),
            "--max-memory",
            memory,
            "--statistics",
            "random",
            "--statistics-tokens",
            "2048"));
  }
}

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
import java.util.ArrayList;
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
 * Processes that are killed with SIGKILL at random moments, and resumed by the same command until
 * the result is there. It must have the bytes of a run that nobody disturbed. {@code
 * -Dcafeq.test.kills=200} kills more often.
 */
@Tag("slow")
class KillTest {
  private static final int KILLS = Integer.getInteger("cafeq.test.kills", 8);
  private static final long SEED = Long.getLong("cafeq.test.seed", 20260101);
  private static final int SIGKILL_EXIT = 128 + 9;

  /** Longer than a run takes from a message to its end. */
  private static final Duration PATIENCE = Duration.ofMinutes(4);

  @TempDir static Path folder;

  private static Path model;
  private static Path recipe;
  private static SortedMap<String, String> undisturbed;

  @BeforeAll
  static void runOnceWithoutKills() throws Exception {
    assumeTrue(Files.isDirectory(Path.of("/proc/self")), "no Unix signals here");
    model = folder.resolve("model");
    SampleShape shape =
        new SampleShape(
            8,
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
    Files.writeString(model.resolve("README.md"), "A model.\n");
    Files.writeString(
        Files.createDirectory(model.resolve("chat")).resolve("template.jinja"), "{{ messages }}\n");
    // Shared inputs, both sides, whole rows, plain rounding and copies, all in one run.
    recipe =
        Files.writeString(
            folder.resolve("recipe.conf"),
            """
            transform { steps = 60, bits = 0.5 }
            pairs.steps = 60
            tensors.embeddings = 8
            tensors.overrides = [
              { pattern = ".*o_proj.*", side = output, block = 32 }
              { pattern = ".*down_proj.*", group = channel }
              { pattern = ".*layers.7.*", method = rtn }
              { pattern = ".*layers.6.mlp.*", method = none }
              { pattern = ".*layers.5.*", method = hadamard }
            ]
            """);
    Path out = folder.resolve("undisturbed");
    RunningProgram.Result result = start(out, 1, "1g").await();
    assertThat(result.exitCode()).as(result.err()).isZero();
    undisturbed = FolderContent.of(out);
    assertThat(undisturbed.keySet())
        .filteredOn(name -> name.startsWith("units/"))
        .hasSizeBetween(20, 60);
    assertThat(undisturbed)
        .containsKeys("manifest.json", "config.json", "README.md", "chat/template.jinja");
    assertThat(undisturbed)
        .containsKeys(
            "units/model.layers.0.self_attn.vo.arrow", "units/model.layers.6.self_attn.vo.arrow");
    assertThat(undisturbed.keySet()).noneMatch(name -> name.endsWith(".part"));
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2})
  void whatIsKilledAndResumedHasTheBytesOfAnUndisturbedRun(int lanes) throws Exception {
    Random random = new Random(SEED + lanes);
    List<Path> folders = new ArrayList<>(List.of(folder.resolve("killed-" + lanes + "-0")));
    int kills = 0;
    while (kills < KILLS) {
      Path out = folders.getLast();
      RunningProgram program = start(out, lanes, lanes == 1 ? "1g" : "900m");
      if (isKilled(program, kills, random)) {
        kills++;
        assertThatWhatIsThereIsRight(out);
      } else {
        assertThat(program.await().exitCode()).as(program.await().err()).isZero();
        assertThat(FolderContent.of(out)).isEqualTo(undisturbed);
        folders.add(folder.resolve("killed-" + lanes + "-" + folders.size()));
      }
    }
    RunningProgram.Result last = start(folders.getLast(), lanes, "1g").await();
    assertThat(last.exitCode()).as(last.err()).isZero();
    assertThat(FolderContent.of(folders.getLast()))
        .as("seed %d, %d lanes", SEED, lanes)
        .isEqualTo(undisturbed);
    RunningProgram.Result verdict =
        RunningProgram.cafeq("verify", folders.getLast().toString(), "--against", model.toString());
    assertThat(verdict.exitCode()).as(verdict.out()).isZero();
  }

  @Test
  void memoryAndLanesChangeNoByte() throws Exception {
    Path out = folder.resolve("other-memory");

    RunningProgram.Result result = start(out, 3, "768m").await();

    assertThat(result.exitCode()).as(result.err()).isZero();
    assertThat(FolderContent.of(out)).isEqualTo(undisturbed);
  }

  @Test
  void aSecondRunOnTheFolderIsToldWhoHasItUntilThatOneIsDead() throws Exception {
    assumeTrue(DefaultSignals.reachProcesses(), "SIGINT is ignored, and env cannot reset it");
    Path out = folder.resolve("held");
    RunningProgram first = longJob(out);
    first.awaitMessage("cafeq: quantizing");

    RunningProgram.Result second = longJob(out).await();
    assertThat(second.exitCode()).as(second.err()).isEqualTo(ExitCode.USAGE);
    assertThat(second.err())
        .contains("another run is writing to", out.toString(), "process " + first.pid());

    first.signal("KILL");
    assertThat(first.await().exitCode()).isEqualTo(SIGKILL_EXIT);
    RunningProgram third = longJob(out);
    third.awaitMessage("cafeq: quantizing");
    third.signal("INT");
    assertThat(third.await().exitCode()).isEqualTo(130);
  }

  /** Kills at a random moment of one of a run's parts; false where the run was over before. */
  private static boolean isKilled(RunningProgram program, int kills, Random random)
      throws Exception {
    Duration moment =
        switch (kills % 4) {
          // anywhere, the start of the program included
          case 0 -> Duration.ofMillis(random.nextInt(4000));
          case 1, 2 -> {
            program.awaitMessageOrEnd("cafeq: quantizing");
            yield Duration.ofMillis(random.nextInt(2500));
          }
          // side files, manifest, report
          default -> {
            program.awaitMessageOrEnd("cafeq: finishing");
            yield Duration.ofMillis(random.nextInt(40));
          }
        };
    if (program.endsWithin(moment)) {
      return false;
    }
    program.signal("KILL");
    assertThat(program.endsWithin(PATIENCE)).isTrue();
    return program.await().exitCode() == SIGKILL_EXIT;
  }

  /**
   * Files under their final names are finished, whatever happened; a manifest is there only with
   * all of them.
   */
  private static void assertThatWhatIsThereIsRight(Path out) throws IOException {
    if (!Files.exists(out)) {
      return;
    }
    SortedMap<String, String> content = FolderContent.of(out);
    content.keySet().removeIf(name -> name.endsWith(".part") || name.startsWith(".cafeq/"));
    assertThat(undisturbed).containsAllEntriesOf(content);
    if (content.containsKey("manifest.json")) {
      assertThat(content.keySet())
          .containsAll(
              undisturbed.keySet().stream().filter(name -> !name.startsWith(".cafeq/")).toList());
    }
  }

  private static RunningProgram start(Path out, int lanes, String memory) throws IOException {
    return RunningProgram.cafeq(
        List.of(),
        List.of(
            "quantize",
            model.toString(),
            "--out",
            out.toString(),
            "--recipe",
            recipe.toString(),
            "--lanes",
            Integer.toString(lanes),
            "--max-memory",
            memory));
  }

  private static RunningProgram longJob(Path out) throws IOException {
    return RunningProgram.cafeq(
        List.of(),
        List.of(
            "quantize",
            model.toString(),
            "--out",
            out.toString(),
            "--steps",
            "100000",
            "--backend",
            "scalar",
            "--lanes",
            "1"));
  }
}

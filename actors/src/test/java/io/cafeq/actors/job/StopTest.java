package io.cafeq.actors.job;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.engine.report.JobStatus;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a stopped job says, and what it leaves alone, whenever the wish to stop comes. */
class StopTest {
  private static final String[] TARGET = {
    "recipe.method", "cafeq",
    "recipe.transform.steps", "3",
    "recipe.target-bpw", "5",
    "recipe.grid.group", "auto",
    "run.backend", "scalar"
  };

  @TempDir private Path folder;

  @Test
  void aStopWhileATargetIsMeasuredIsNoRefusal() {
    JobFixture fixture = new JobFixture(folder.resolve("stopped"));
    CompletableFuture<SoloJob> running = new CompletableFuture<>();
    SoloJob job =
        new SoloJob(
            fixture.source,
            fixture.output,
            JobFixture.settings(TARGET),
            "1",
            event -> {
              if (event.equals(new JobEvent.PhaseChanged(Phase.PLANNING))) {
                running.thenAccept(SoloJob::stop);
              }
            });
    running.complete(job);

    JobResult result = job.run();

    assertThat(result)
        .isInstanceOfSatisfying(
            JobResult.Stopped.class,
            stopped -> assertThat(stopped.report().status()).isEqualTo(JobStatus.STOPPED));
    assertThat(fixture.output.resolve("manifest.json")).doesNotExist();
  }

  @Test
  void aStopLeavesTheReportOfAnotherJobsFolderAlone() throws Exception {
    JobFixture fixture = new JobFixture(folder);
    assertThat(fixture.run()).isInstanceOf(JobResult.Complete.class);
    Path report = fixture.output.resolve("report.json");
    byte[] before = Files.readAllBytes(report);
    Files.delete(fixture.output.resolve("manifest.json"));
    SoloJob other =
        new SoloJob(
            fixture.source,
            fixture.output,
            JobFixture.settings("recipe.grid.bits", "3"),
            "1",
            event -> {});

    other.stop();

    assertThat(other.run()).isInstanceOfAny(JobResult.Stopped.class, JobResult.Refused.class);
    assertThat(report).hasBinaryContent(before);
  }
}

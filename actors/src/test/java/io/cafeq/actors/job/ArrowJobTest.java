package io.cafeq.actors.job;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.engine.block.Manifest;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.report.PlainFigures;
import io.cafeq.engine.report.Report;
import io.cafeq.engine.report.UnitStatus;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.SortedMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The whole flow with its own numerics, on the backend that runs everywhere. */
class ArrowJobTest {
  @Test
  void randomRoundingDependsOnTheSeedAlone(@TempDir Path folder) throws Exception {
    JobFixture straight = new JobFixture(folder.resolve("a"));
    JobFixture resumed = new JobFixture(folder.resolve("b"));
    JobFixture other = new JobFixture(folder.resolve("c"));
    String[] recipe = {
      "recipe.rounding",
      "stochastic",
      "recipe.transform.loss",
      "hard",
      "recipe.pairs.enabled",
      "off",
      "run.lanes",
      "1"
    };

    complete(job(straight, recipe));
    complete(job(resumed, recipe));
    complete(
        job(
            other,
            "recipe.rounding",
            "stochastic",
            "recipe.pairs.enabled",
            "off",
            "recipe.seed",
            "1"));
    Files.delete(resumed.units().get(1));
    complete(job(resumed, recipe));

    assertThat(resumed.files()).isEqualTo(straight.files());
    assertThat(other.files()).isNotEqualTo(straight.files());
  }

  @Test
  void resultsAreTheSameForAnyLanesAndAfterAnyResume(@TempDir Path folder) throws Exception {
    JobFixture straight = new JobFixture(folder.resolve("a"));
    JobFixture resumed = new JobFixture(folder.resolve("b"));

    JobResult.Complete complete = complete(job(straight, "run.lanes", "1"));
    complete(job(resumed, "run.lanes", "2"));

    SortedMap<String, String> files = straight.files();
    assertThat(resumed.files()).isEqualTo(files);
    assertThat(Manifest.read(straight.output).units()).hasSameSizeAs(complete.report().units());
    PlainFigures equalBits = Objects.requireNonNull(complete.report().totals().plainEqualBits());
    // with statistics, which this model has by default, what counts is the error of outputs
    assertThat(Objects.requireNonNull(complete.report().totals().relativeOutputError()))
        .isPositive()
        .isLessThanOrEqualTo(Objects.requireNonNull(equalBits.relativeOutputError()));

    Files.delete(resumed.units().get(1));
    Files.write(resumed.units().get(2), new byte[] {1, 2, 3});
    JobResult.Complete again = complete(job(resumed, "run.lanes", "2"));

    assertThat(resumed.files()).isEqualTo(files);
    assertThat(again.report().units())
        .filteredOn(entry -> entry.status() == UnitStatus.DONE)
        .hasSize(2);
    assertThat(again.report().totals().relativeError())
        .isEqualTo(complete.report().totals().relativeError());
    assertThat(complete(job(resumed)).already()).isTrue();
  }

  @Test
  void aTargetHoldsForTheResultAndAResumeGoesOnWithWhatWasChosen(@TempDir Path folder)
      throws Exception {
    JobFixture straight = new JobFixture(folder.resolve("a"));
    JobFixture resumed = new JobFixture(folder.resolve("b"));
    String[] recipe = {
      "recipe.target-bpw", "5.2", "recipe.grid.group", "auto", "recipe.pairs.steps", "3"
    };

    Report report = complete(job(straight, recipe)).report();
    complete(job(resumed, recipe));
    Path chosen = resumed.output.resolve(".cafeq/plan.json");
    byte[] before = Files.readAllBytes(chosen);
    Files.delete(resumed.units().get(1));
    complete(job(resumed, recipe));

    assertThat(report.totals().bitsPerWeight()).isBetween(4.0, 5.2);
    assertThat(resumed.files()).isEqualTo(straight.files());
    assertThat(chosen).hasBinaryContent(before);

    Files.writeString(chosen, "{}");
    JobResult.Refused refused = (JobResult.Refused) job(resumed, recipe).run();
    assertThat(refused.failure().kind()).isEqualTo(FailureKind.RESULT);
    JobResult.Refused other = (JobResult.Refused) job(resumed, "recipe.target-bpw", "5.3").run();
    assertThat(other.failure())
        .hasMessageContaining("target-bpw: this folder has 5.2, you asked for 5.3");
  }

  private static SoloJob job(JobFixture fixture, String... changes) {
    String[] all = new String[changes.length + 6];
    System.arraycopy(changes, 0, all, 6, changes.length);
    System.arraycopy(
        new String[] {
          "recipe.method", "cafeq", "recipe.transform.steps", "3", "run.backend", "scalar"
        },
        0,
        all,
        0,
        6);
    return new SoloJob(
        fixture.source, fixture.output, JobFixture.settings(all), "1", fixture.events::add);
  }

  private static JobResult.Complete complete(SoloJob job) {
    JobResult result = job.run();
    assertThat(result).isInstanceOf(JobResult.Complete.class);
    return (JobResult.Complete) result;
  }
}

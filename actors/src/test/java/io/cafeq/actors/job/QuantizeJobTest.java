package io.cafeq.actors.job;

import static org.assertj.core.api.Assertions.assertThat;

import io.cafeq.engine.failure.EngineException;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.plan.Unit;
import io.cafeq.engine.report.JobStatus;
import io.cafeq.engine.report.Report;
import io.cafeq.engine.report.ReportFile;
import io.cafeq.engine.report.UnitEntry;
import io.cafeq.engine.report.UnitFailure;
import io.cafeq.engine.report.UnitStatus;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class QuantizeJobTest {
  @TempDir private Path folder;

  private JobFixture fixture;

  @BeforeEach
  void makeCheckpoint() {
    fixture = new JobFixture(folder);
  }

  @Test
  void makesEveryUnitThenTheManifestThenTheReport() throws Exception {
    JobResult.Complete complete = complete(fixture.run());

    Report report = complete.report();
    assertThat(complete.already()).isFalse();
    assertThat(report.status()).isEqualTo(JobStatus.COMPLETE);
    assertThat(report.units())
        .hasSizeGreaterThan(6)
        .allMatch(entry -> entry.status() == UnitStatus.DONE);
    assertThat(fixture.units()).hasSameSizeAs(report.units());
    assertThat(fixture.output.resolve("manifest.json")).exists();
    assertThat(fixture.output.resolve("tokenizer.json"))
        .hasSameBinaryContentAs(fixture.source.resolve("tokenizer.json"));
    assertThat(fixture.output.resolve("docs/notes.txt")).hasContent("notes");
    assertThat(fixture.output.resolve(".cafeq/lock")).isEmptyFile();
    assertThat(ReportFile.toJson(ReportFile.read(fixture.output)))
        .isEqualTo(ReportFile.toJson(report));
    assertThat(report.version()).isEqualTo("1.2.3");
    assertThat(report.machine().kernel()).isEqualTo("plain");
    assertThat(report.totals().bytesRead()).isPositive();
    assertThat(report.totals().bytesWritten())
        .isGreaterThan(fixture.units().stream().mapToLong(ReportMaker::size).sum());
    assertThat(report.totals().peakMemoryBytes()).isPositive();
    assertThat(report.source().tensors())
        .hasSize(report.units().stream().mapToInt(unit -> unit.tensors().size()).sum());
  }

  @Test
  void tellsTheListenerInOrderAndOnOneThreadAtATime() {
    AtomicInteger inside = new AtomicInteger();
    AtomicInteger most = new AtomicInteger();
    Consumer<JobEvent> listener =
        event -> {
          most.accumulateAndGet(inside.incrementAndGet(), Math::max);
          fixture.events.add(event);
          inside.decrementAndGet();
          if (event instanceof JobEvent.Planned) {
            throw new IllegalStateException("a listener's fault is its own");
          }
        };
    new SoloJob(
            fixture.source,
            fixture.output,
            JobFixture.settings(),
            "1",
            listener,
            CopyEngine.with((unit, stop) -> {}))
        .run();

    assertThat(most).hasValue(1);
    assertThat(fixture.events)
        .filteredOn(JobEvent.PhaseChanged.class::isInstance)
        .extracting(event -> ((JobEvent.PhaseChanged) event).phase())
        .containsExactly(
            Phase.PLANNING, Phase.CHECKING, Phase.MEASURING, Phase.QUANTIZING, Phase.FINISHING);
    assertThat(fixture.events.stream().filter(JobEvent.UnitStarted.class::isInstance))
        .hasSize((int) fixture.finished());
    JobEvent.WeightsAdvanced last =
        (JobEvent.WeightsAdvanced)
            fixture.events.stream()
                .filter(JobEvent.WeightsAdvanced.class::isInstance)
                .reduce((a, b) -> b)
                .orElseThrow();
    assertThat(last.done()).isEqualTo(last.all()).isPositive();
  }

  @Test
  void lanesAndMemoryChangeNoByte() {
    complete(fixture.run("run.lanes", "1"));
    JobFixture other = new JobFixture(folder.resolve("other"));
    complete(other.run("run.lanes", "3", "run.max-memory", "1g"));

    assertThat(other.files()).isEqualTo(fixture.files());
  }

  @Test
  void aFailedUnitIsReportedAndTheOthersGoOn() {
    JobResult result =
        fixture
            .job(
                failing(
                    "model.layers.1.mlp.down_proj",
                    FailureKind.CHECKPOINT,
                    "row 3, column 4 is NaN"))
            .run();

    assertThat(result)
        .isInstanceOfSatisfying(
            JobResult.Partial.class,
            partial -> {
              assertThat(partial.cause().kind()).isEqualTo(FailureKind.CHECKPOINT);
              assertThat(partial.report().status()).isEqualTo(JobStatus.PARTIAL);
              assertThat(partial.report().units())
                  .filteredOn(entry -> entry.status() == UnitStatus.FAILED)
                  .singleElement()
                  .satisfies(
                      entry ->
                          assertThat(entry.error())
                              .isEqualTo(
                                  new UnitFailure(
                                      FailureKind.CHECKPOINT,
                                      "row 3, column 4 is NaN",
                                      "Fix it.")));
              assertThat(partial.report().units())
                  .filteredOn(entry -> entry.status() == UnitStatus.DONE)
                  .hasSize(partial.report().units().size() - 1);
            });
    assertThat(fixture.output.resolve("manifest.json")).doesNotExist();
    assertThat(ReportFile.read(fixture.output).status()).isEqualTo(JobStatus.PARTIAL);

    complete(fixture.run());
    JobFixture straight = new JobFixture(folder.resolve("other"));
    complete(straight.run());
    assertThat(fixture.files()).isEqualTo(straight.files());
  }

  @Test
  void aFullDiskEndsTheJobEarly() {
    CopyEngine.Interlude full =
        (unit, stop) -> {
          throw new EngineException(
              FailureKind.ENVIRONMENT, "the disk is full", "Free some space.");
        };
    JobResult result = fixture.job(CopyEngine.with(full), "run.lanes", "1").run();

    assertThat(result)
        .isInstanceOfSatisfying(
            JobResult.Partial.class,
            partial -> {
              assertThat(partial.cause().kind()).isEqualTo(FailureKind.ENVIRONMENT);
              assertThat(partial.report().units())
                  .filteredOn(entry -> entry.status() == UnitStatus.FAILED)
                  .hasSizeLessThan(partial.report().units().size());
              assertThat(partial.report().units().getLast().status()).isEqualTo(UnitStatus.MISSING);
            });
  }

  @Test
  void stopsWithinFiveSecondsThoughAWorkerHangs() throws Exception {
    CountDownLatch started = new CountDownLatch(1);
    CountDownLatch hang = new CountDownLatch(1);
    AtomicInteger begun = new AtomicInteger();
    SoloJob job =
        fixture.job(
            CopyEngine.with(
                (unit, stop) -> {
                  if (begun.incrementAndGet() > 2) {
                    started.countDown();
                    awaitUninterruptibly(hang);
                  }
                }));
    CompletableFuture<JobResult> result = CompletableFuture.supplyAsync(job::run);
    assertThat(started.await(60, TimeUnit.SECONDS)).isTrue();

    long before = System.nanoTime();
    job.stop();
    JobResult stopped = result.get(60, TimeUnit.SECONDS);

    assertThat(Duration.ofNanos(System.nanoTime() - before)).isLessThan(Duration.ofSeconds(5));
    assertThat(stopped)
        .isInstanceOfSatisfying(
            JobResult.Stopped.class,
            end -> assertThat(end.report().status()).isEqualTo(JobStatus.STOPPED));
    assertThat(fixture.output.resolve("manifest.json")).doesNotExist();
    assertThat(refused(fixture.run())).hasMessageContaining("another job of this process");
    hang.countDown();
    awaitFreeFolder();
  }

  /** Returns once the worker that hung no longer writes, which is when it gives up the folder. */
  private void awaitFreeFolder() {
    while (fixture.run() instanceof JobResult.Refused) {
      Thread.onSpinWait();
    }
  }

  @Test
  void aStoppedJobContinues() throws Exception {
    CountDownLatch started = new CountDownLatch(1);
    AtomicInteger begun = new AtomicInteger();
    SoloJob job =
        fixture.job(
            CopyEngine.with(
                (unit, stop) -> {
                  if (begun.incrementAndGet() > 3) {
                    started.countDown();
                    while (!stop.isStopped()) {
                      Thread.onSpinWait();
                    }
                    stop.check();
                  }
                }));
    CompletableFuture<JobResult> result = CompletableFuture.supplyAsync(job::run);
    assertThat(started.await(60, TimeUnit.SECONDS)).isTrue();
    job.stop();

    assertThat(result.get(60, TimeUnit.SECONDS))
        .isInstanceOfSatisfying(
            JobResult.Stopped.class,
            end -> {
              assertThat(end.report().units())
                  .extracting(UnitEntry::status)
                  .contains(UnitStatus.DONE, UnitStatus.MISSING);
              assertThat(end.report().units())
                  .extracting(UnitEntry::status)
                  .doesNotContain(UnitStatus.FAILED);
            });
    fixture.events.clear();
    complete(fixture.run());
    assertThat(fixture.kept()).isEqualTo(3);
  }

  @Test
  void stoppingBeforeTheStartMakesNothing() {
    SoloJob job = fixture.job(CopyEngine.with((unit, stop) -> {}));
    job.stop();

    assertThat(job.run()).isInstanceOf(JobResult.Stopped.class);
    assertThat(fixture.finished()).isZero();
  }

  @Test
  void refusesAUnitThatNeedsMoreThanTheWholePool() {
    EngineException failure = refused(fixture.job(CopyEngine.needing(3L << 30)).run());

    assertThat(failure.kind()).isEqualTo(FailureKind.USAGE);
    assertThat(failure.remedy()).contains("--max-memory");
    assertThat(fixture.units()).isEmpty();
  }

  @Test
  void refusesWhatDoesNotFitOnTheDisk() {
    long huge = Long.MAX_VALUE / 1000;
    JobEngine.Factory engines =
        work ->
            new CopyEngine(work, (unit, stop) -> {}, 0) {
              @Override
              public long diskNeeded(Unit unit) {
                return huge;
              }
            };
    EngineException failure = refused(fixture.job(engines).run());

    assertThat(failure.kind()).isEqualTo(FailureKind.ENVIRONMENT);
    assertThat(failure).hasMessageContaining("MB are free");
  }

  @Test
  void refusesACheckpointThatIsNotThere() {
    SoloJob job =
        new SoloJob(
            folder.resolve("absent"),
            fixture.output,
            JobFixture.settings(),
            "1",
            event -> {},
            CopyEngine.with((unit, stop) -> {}));

    assertThat(refused(job.run()).kind()).isEqualTo(FailureKind.USAGE);
    assertThat(fixture.output).doesNotExist();
  }

  @Test
  void aBackendThatDoesNotOpenIsARefusal() {
    JobEngine.Factory engines =
        work ->
            new CopyEngine(work, (u, s) -> {}, 0) {
              @Override
              public Names names() {
                throw new EngineException(
                    FailureKind.USAGE, "no backend is called \"x\"", "Choose another.");
              }
            };
    assertThat(refused(fixture.job(engines).run())).hasMessageContaining("no backend");
    assertThat(fixture.output.resolve(".cafeq/identity.json")).doesNotExist();
    complete(fixture.run());
  }

  private static JobEngine.Factory failing(String id, FailureKind kind, String message) {
    return CopyEngine.with(
        (unit, stop) -> {
          if (unit.id().equals(id)) {
            throw new EngineException(kind, message, "Fix it.");
          }
        });
  }

  private static JobResult.Complete complete(JobResult result) {
    assertThat(result).isInstanceOf(JobResult.Complete.class);
    return (JobResult.Complete) result;
  }

  private static EngineException refused(JobResult result) {
    assertThat(result).isInstanceOf(JobResult.Refused.class);
    return ((JobResult.Refused) result).failure();
  }

  private static void awaitUninterruptibly(CountDownLatch latch) {
    boolean done = false;
    while (!done) {
      try {
        latch.await();
        done = true;
      } catch (InterruptedException e) {
        // the system's end interrupts its threads; a native loop would not notice either
      }
    }
  }
}

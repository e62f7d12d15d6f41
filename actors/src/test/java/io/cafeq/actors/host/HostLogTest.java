package io.cafeq.actors.host;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.AppenderBase;
import io.cafeq.actors.job.JobRequest;
import io.cafeq.actors.job.JobResult;
import io.cafeq.config.Settings;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.sample.SampleCheckpoint;
import io.cafeq.engine.sample.SampleShape;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Isolated;
import org.slf4j.LoggerFactory;

/** Two jobs at once can be told apart in the log, with the memory that each holds. */
@Isolated("reads what jobs log")
class HostLogTest {
  private static final Logger OURS = (Logger) LoggerFactory.getLogger("io.cafeq");

  @TempDir private Path folder;

  private final Queue<ILoggingEvent> logged = new ConcurrentLinkedQueue<>();
  private final AppenderBase<ILoggingEvent> appender =
      new AppenderBase<>() {
        @Override
        protected void append(ILoggingEvent event) {
          event.prepareForDeferredProcessing();
          logged.add(event);
        }
      };
  private Level before;

  @BeforeEach
  void record() {
    before = OURS.getLevel();
    OURS.setLevel(Level.DEBUG);
    appender.start();
    OURS.addAppender(appender);
  }

  @AfterEach
  void restore() {
    OURS.detachAppender(appender);
    OURS.setLevel(before);
  }

  @Test
  void eachLineNamesItsJobAndItsUnit() throws Exception {
    try (EngineHost host = EngineHost.start(new HostSettings(1L << 30, 2, "scalar"), "1")) {
      List<JobHandle> jobs = List.of(host.submit(request("a", 1)), host.submit(request("b", 2)));
      for (JobHandle job : jobs) {
        assertThat(job.result().get(120, TimeUnit.SECONDS)).isInstanceOf(JobResult.Complete.class);
      }
    }

    assertThat(logged)
        .filteredOn(event -> event.getLevel() == Level.INFO)
        .extracting(ILoggingEvent::getFormattedMessage)
        .anyMatch(line -> line.matches("2 lanes, memory cap 1024 MiB, of which \\d+ .*"))
        .anyMatch(line -> line.startsWith("Computing with backend scalar, learner scalar"))
        .anyMatch(line -> line.startsWith("Statistics of the inputs: "))
        .anyMatch(line -> line.matches("0 of \\d+ units are there already"))
        .anyMatch(line -> line.contains("fell back to round-to-nearest"));
    Set<String> makers =
        logged.stream()
            .filter(event -> event.getFormattedMessage().matches("Lane \\d made .*"))
            .map(event -> event.getMDCPropertyMap())
            .peek(context -> assertThat(context.get("unit")).isNotBlank())
            .map(context -> context.get("job"))
            .collect(Collectors.toSet());
    assertThat(makers).containsExactlyInAnyOrder("job-1", "job-2");
    assertThat(logged)
        .extracting(ILoggingEvent::getFormattedMessage)
        .anyMatch(line -> line.matches("job-1 holds \\d+ MiB for .*"))
        .anyMatch(line -> line.matches("job-2 holds \\d+ MiB for .*"));
  }

  private JobRequest request(String name, int seed) {
    Path model = folder.resolve(name);
    SampleShape shape =
        new SampleShape(
            2, 64, 128, 4, 2, 64, Dtype.BF16, true, SampleShape.Distribution.GAUSSIAN, 0, 100_000);
    SampleCheckpoint.write(shape, seed, model, new StopFlag());
    return new JobRequest(
        model.toString(),
        folder.resolve(name + "-out"),
        Settings.load(
            Optional.empty(),
            Map.of(
                "recipe.transform.steps", "3",
                "recipe.pairs.steps", "3",
                "recipe.statistics.tokens", "256")));
  }
}

package io.cafeq.actors.host;

import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.ConfigFactory;
import io.cafeq.actors.job.ArrowJobEngine;
import io.cafeq.actors.job.JobEvent;
import io.cafeq.actors.job.JobRequest;
import io.cafeq.actors.job.JobResult;
import io.cafeq.actors.runtime.ActorRuntime;
import io.cafeq.config.Settings;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.failure.FailureKind;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.sample.SampleCheckpoint;
import io.cafeq.engine.sample.SampleShape;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Many jobs at once in one process. All messages between actors are serialized. */
class EngineHostTest {
  private static final HostSettings SMALL = new HostSettings(1L << 30, 2, "scalar");

  @TempDir private Path folder;

  @Test
  void fourJobsAtOnceGiveTheBytesThatEachGivesAlone() throws Exception {
    List<Path> models = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      models.add(model("model-" + i, i));
    }
    for (int i = 0; i < 4; i++) {
      try (EngineHost host = host()) {
        complete(host.submit(request(models.get(i), "alone-" + i, i)));
      }
    }

    try (EngineHost host = host()) {
      List<JobHandle> jobs = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        jobs.add(host.submit(request(models.get(i), "together-" + i, i)));
      }
      for (JobHandle job : jobs) {
        assertThat(complete(job).report().machine().memoryCapExceeded()).isFalse();
      }
      assertThat(host.holdings().holdings()).isEmpty();
    }

    for (int i = 0; i < 4; i++) {
      assertThat(files("together-" + i)).isEqualTo(files("alone-" + i)).isNotEmpty();
    }
  }

  @Test
  void stoppingOneJobLeavesTheOthers() throws Exception {
    Path first = model("first", 1);
    Path second = model("second", 2);
    try (EngineHost host = host()) {
      JobHandle stopped = host.submit(request(first, "stopped", 3));
      CountDownLatch begun = new CountDownLatch(1);
      host.listen(
          stopped,
          event -> {
            if (event instanceof JobEvent.UnitStarted) {
              begun.countDown();
            }
          });
      JobHandle other = host.submit(request(second, "other", 0));
      assertThat(begun.await(60, TimeUnit.SECONDS)).isTrue();

      stopped.stop();

      assertThat(stopped.result().get(60, TimeUnit.SECONDS)).isInstanceOf(JobResult.Stopped.class);
      complete(other);
      complete(host.submit(request(first, "stopped", 3)));
    }
    try (EngineHost host = host()) {
      complete(host.submit(request(first, "straight", 3)));
    }
    assertThat(files("stopped")).isEqualTo(files("straight"));
  }

  @Test
  void aPoisonedModelFailsAlone() throws Exception {
    Path good = model("good", 1);
    Path bad = model("bad", 2);
    poison(bad);
    Path absent = folder.resolve("absent");
    try (EngineHost host = host()) {
      JobHandle poisoned = host.submit(request(bad, "poisoned", 0));
      JobHandle refused = host.submit(request(absent, "refused", 0));
      JobHandle healthy = host.submit(request(good, "healthy", 0));

      assertThat(poisoned.result().get(60, TimeUnit.SECONDS))
          .isInstanceOfSatisfying(
              JobResult.Partial.class,
              partial -> assertThat(partial.cause().kind()).isEqualTo(FailureKind.CHECKPOINT));
      assertThat(refused.result().get(60, TimeUnit.SECONDS)).isInstanceOf(JobResult.Refused.class);
      complete(healthy);
    }
  }

  @Test
  void twoJobsCannotWriteTheSameFolder() throws Exception {
    Path model = model("model", 1);
    try (EngineHost host = host()) {
      JobHandle first = host.submit(request(model, "out", 0));
      List<JobEvent> events = new CopyOnWriteArrayList<>();
      CountDownLatch planned = new CountDownLatch(1);
      host.listen(
          first,
          event -> {
            events.add(event);
            if (event instanceof JobEvent.Planned) {
              planned.countDown();
            }
          });
      assertThat(planned.await(60, TimeUnit.SECONDS)).isTrue();
      JobHandle second = host.submit(request(model, "out", 0));

      JobResult end = second.result().get(60, TimeUnit.SECONDS);

      assertThat(end)
          .isInstanceOfAny(JobResult.Refused.class, JobResult.Complete.class)
          .satisfies(
              result -> {
                if (result instanceof JobResult.Refused refused) {
                  assertThat(refused.failure()).hasMessageContaining("another job of this process");
                }
              });
      complete(first);
    }
  }

  @Test
  void everyListenerHearsAllEvents() throws Exception {
    Path model = model("model", 1);
    try (EngineHost host = host()) {
      JobHandle job = host.submit(request(model, "out", 0));
      complete(job);
      List<JobEvent> early = new CopyOnWriteArrayList<>();
      List<JobEvent> late = new CopyOnWriteArrayList<>();

      host.listen(job, early::add).toCompletableFuture().get(60, TimeUnit.SECONDS);
      host.listen(job, late::add).toCompletableFuture().get(60, TimeUnit.SECONDS);

      assertThat(late).isEqualTo(early);
      assertThat(early)
          .hasAtLeastOneElementOfType(JobEvent.UnitFinished.class)
          .hasAtLeastOneElementOfType(JobEvent.WeightsAdvanced.class);
    }
  }

  private static EngineHost host() {
    return EngineHost.start(
        SMALL,
        "1",
        ArrowJobEngine::new,
        ActorRuntime.start(
            ConfigFactory.parseString("pekko.actor.serialize-messages = on")
                .withFallback(ActorRuntime.config())));
  }

  private JobRequest request(Path model, String out, int seed) {
    Map<String, String> keys =
        new HashMap<>(
            Map.of(
                "recipe.transform.steps",
                "5",
                "recipe.grid.group",
                "32",
                "recipe.pairs.steps",
                "5"));
    keys.put("recipe.seed", Integer.toString(seed));
    keys.put("recipe.statistics.tokens", "256");
    return new JobRequest(
        model.toString(), folder.resolve(out), Settings.load(Optional.empty(), keys));
  }

  private Path model(String name, int seed) {
    Path model = folder.resolve(name);
    SampleShape shape =
        new SampleShape(
            3, 64, 128, 4, 2, 64, Dtype.BF16, true, SampleShape.Distribution.GAUSSIAN, 0, 100_000);
    SampleCheckpoint.write(shape, seed, model, new StopFlag());
    return model;
  }

  /** Every weight of the last shard becomes NaN. */
  private static void poison(Path model) throws IOException {
    List<Path> shards;
    try (Stream<Path> files = Files.list(model)) {
      shards = files.filter(file -> file.toString().endsWith(".safetensors")).sorted().toList();
    }
    try (FileChannel channel =
        FileChannel.open(shards.getLast(), StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      ByteBuffer length = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
      channel.read(length, 0);
      long data = 8 + length.flip().getLong();
      byte[] nan = new byte[(int) (channel.size() - data)];
      Arrays.fill(nan, (byte) 0xff);
      channel.write(ByteBuffer.wrap(nan), data);
    }
  }

  private static JobResult.Complete complete(JobHandle job) throws Exception {
    JobResult result = job.result().get(120, TimeUnit.SECONDS);
    assertThat(result).isInstanceOf(JobResult.Complete.class);
    return (JobResult.Complete) result;
  }

  private SortedMap<String, String> files(String out) throws IOException {
    Path output = folder.resolve(out);
    SortedMap<String, String> files = new TreeMap<>();
    try (Stream<Path> all = Files.walk(output)) {
      for (Path file : all.filter(Files::isRegularFile).toList()) {
        String name = output.relativize(file).toString();
        if (!name.equals("report.json")) {
          files.put(name, Arrays.toString(Files.readAllBytes(file)));
        }
      }
    }
    return files;
  }
}

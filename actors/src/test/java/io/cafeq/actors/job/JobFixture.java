package io.cafeq.actors.job;

import io.cafeq.config.Settings;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.checkpoint.Dtype;
import io.cafeq.engine.checkpoint.TensorInfo;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.sample.SampleCheckpoint;
import io.cafeq.engine.sample.SampleShape;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;

/** A small sharded checkpoint, the folder for its result, and jobs between them. */
final class JobFixture {
  final Path source;
  final Path output;
  final List<JobEvent> events = new CopyOnWriteArrayList<>();

  JobFixture(Path folder) {
    source = folder.resolve("model");
    output = folder.resolve("out");
    SampleShape shape =
        new SampleShape(
            2, 32, 64, 4, 2, 64, Dtype.BF16, true, SampleShape.Distribution.GAUSSIAN, 0, 20_000);
    SampleCheckpoint.write(shape, 1, source, new StopFlag());
    write(source.resolve("tokenizer.json"), "{\"words\": []}");
    write(source.resolve("docs/notes.txt"), "notes");
  }

  static Settings settings(String... changes) {
    Map<String, String> keys =
        new HashMap<>(
            Map.of(
                "recipe.method",
                "rtn",
                "recipe.grid.group",
                "32",
                "run.lanes",
                "2",
                "run.max-memory",
                "2g"));
    for (int i = 0; i < changes.length; i += 2) {
      keys.put(changes[i], changes[i + 1]);
    }
    return Settings.load(Optional.empty(), keys);
  }

  /** Where the bytes of a weight lie. */
  record WeightPlace(Path shard, long position, long bytes) {}

  static WeightPlace place(Path source, String name) {
    try (Checkpoint checkpoint = Checkpoint.open(source)) {
      TensorInfo tensor = checkpoint.tensor(name).orElseThrow();
      return new WeightPlace(source.resolve(tensor.file()), tensor.position(), tensor.bytes());
    }
  }

  SoloJob job(JobEngine.Factory engines, String... changes) {
    return new SoloJob(source, output, settings(changes), "1.2.3", events::add, engines);
  }

  /** A run that is asked to stop once the statistics of so many layers stand. */
  JobResult runUntilLayer(Settings settings, int layers) {
    AtomicReference<SoloJob> running = new AtomicReference<>();
    SoloJob job =
        new SoloJob(
            source,
            output,
            settings,
            "1",
            event -> {
              if (event instanceof JobEvent.StatisticsAdvanced advanced
                  && advanced.layers() == layers) {
                Objects.requireNonNull(running.get()).stop();
              }
            });
    running.set(job);
    return job.run();
  }

  JobResult run(String... changes) {
    return job(CopyEngine.with((unit, stop) -> {}), changes).run();
  }

  /** Contents of every file of the result but the report, by relative path. */
  SortedMap<String, String> files() {
    SortedMap<String, String> files = new TreeMap<>();
    try (Stream<Path> all = Files.walk(output)) {
      for (Path file : all.filter(Files::isRegularFile).toList()) {
        String name = output.relativize(file).toString();
        if (!name.equals("report.json")) {
          files.put(name, Arrays.toString(Files.readAllBytes(file)));
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return files;
  }

  List<Path> units() {
    try (Stream<Path> files = Files.list(output.resolve("units"))) {
      return files.sorted().toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  long kept() {
    return events.stream().filter(JobEvent.UnitKept.class::isInstance).count();
  }

  long finished() {
    return events.stream().filter(JobEvent.UnitFinished.class::isInstance).count();
  }

  static void write(Path file, String text) {
    try {
      Files.createDirectories(file.resolveSibling("."));
      Files.writeString(file, text);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}

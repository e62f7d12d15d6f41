package io.cafeq.tools.bench;

import io.cafeq.config.Recipe;
import io.cafeq.engine.checkpoint.Checkpoint;
import io.cafeq.engine.failure.StopFlag;
import io.cafeq.engine.measure.EstimatePass;
import io.cafeq.engine.measure.StatisticsFolder;
import io.cafeq.engine.measure.StatisticsPlan;
import io.cafeq.engine.plan.Planner;
import io.cafeq.engine.sample.SampleCheckpoint;
import io.cafeq.engine.sample.SampleShape;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/**
 * {@code --statistics weights} of a generated bf16 checkpoint, on one thread as in a job: both
 * passes over the weights, their hashes, and the files written. The limit is copying the checkpoint
 * twice, which reads as much and writes all of it.
 */
public final class EstimateBench {
  private final Path folder;
  private final long bytes;
  private final StopFlag stop;

  /**
   * @param folder an empty one that holds the checkpoint and a copy of it meanwhile
   */
  public EstimateBench(Path folder, long bytes, StopFlag stop) {
    this.folder = folder;
    this.bytes = bytes;
    this.stop = stop;
  }

  /** In MB/s (10^6 bytes) of the checkpoint. */
  public Measured run() {
    Path source = folder.resolve("source");
    SampleCheckpoint.write(SampleShape.ofBytes(bytes), 0, source, stop);
    try {
      Copying copying = Copying.of(source);
      double copied = 0;
      for (int copy = 0; copy < 2; copy++) {
        stop.check();
        copied += copying.seconds(folder.resolve("copy"));
      }
      return Measured.of(
          "estimate", copying.megabytes() / seconds(source), "MB/s", copying.megabytes() / copied);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private double seconds(Path source) throws IOException {
    Recipe recipe = Recipe.of(Map.of("statistics", "weights"));
    try (Checkpoint checkpoint = Checkpoint.open(source)) {
      StatisticsPlan plan = StatisticsPlan.of(checkpoint, Planner.plan(checkpoint, recipe), recipe);
      Path target = Files.createDirectories(folder.resolve("estimate"));
      long begin = System.nanoTime();
      StatisticsFolder statistics = new StatisticsFolder(target, checkpoint, plan);
      try (EstimatePass pass = EstimatePass.open(checkpoint, plan, statistics, stop)) {
        int last = plan.inputs().layers().last();
        while (pass.next() < last) {
          stop.check();
        }
      }
      return (System.nanoTime() - begin) / 1e9;
    }
  }
}
